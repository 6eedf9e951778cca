// Language models that answer: routes in OpenAI's shapes, and what predictions of trained language models need of them.
export { createLanguageModels, type LanguageModel, type LanguageModels } from './models.ts';
export { mountGenerationRoutes } from './routes.ts';

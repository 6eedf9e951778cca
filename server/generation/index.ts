// Language models that answer: routes in OpenAI's shapes, and what predictions of trained language models need of them.
export { createLanguageModels, type LanguageModel, type LanguageModels, openBase } from './models.ts';
export { collected } from './openai.ts';
export { mountGenerationRoutes } from './routes.ts';
export { beginGeneration, type Generation, type GenerationParts, optionsOf, type SamplingFields } from './service.ts';

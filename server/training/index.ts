// The door of trained models: what is trained from datasets, its names and files, and what it predicts.
export { forgetDeleted, forgetTrained } from './language.ts';
export { type TrainedModels, createTrainedModels } from './models.ts';
export { createPredictions } from './predictions.ts';
export { mountTrainingRoutes } from './routes.ts';
export { createStore as createModelStore } from './store.ts';

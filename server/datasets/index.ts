// The door of datasets: files in, versions of tables out, and the routes about them.
export { type DatasetParts, type Datasets, createDatasets } from './datasets.ts';
export { versionOf } from './plan.ts';
export { contentDisposition } from './rules.ts';
export { mountDatasetRoutes } from './routes.ts';
export type { DatasetPredictions } from './services.ts';
export type { Dataset } from './store.ts';

// The door of datasets: files in, versions of tables out, and the routes about them.
export { type DatasetParts, type Datasets, createDatasets } from './datasets.ts';
export { mountDatasetRoutes } from './routes.ts';

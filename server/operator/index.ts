// The door of the operator's part of the console.
export { mountOperatorRoutes } from './routes.ts';
export { createSeries, type Series } from './series.ts';

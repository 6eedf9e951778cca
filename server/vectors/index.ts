// Vectors: texts to vectors through the API, the models that make them, and what they were used for.
export { mountCatalogRoutes } from './catalog-routes.ts';
export { mountVectorRoutes } from './routes.ts';
export { createVectorService, type VectorService } from './service.ts';
export { mountUsageRoutes } from './usage-routes.ts';

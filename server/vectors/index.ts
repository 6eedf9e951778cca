// Vectors: texts to vectors through the API, the models that make them, and what they were used for.
export { mountCatalogRoutes } from './catalog-routes.ts';
export { mountVectorRoutes } from './routes.ts';
export { type Asked, type VectorOptions, type VectorService, createVectorService } from './service.ts';
export { mountUsageRoutes } from './usage-routes.ts';

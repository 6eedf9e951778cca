// Vectors: texts to vectors through the API, the models that make them, and what they were used for.
export { type BulkAsked, bulkVectors, insisting, textParts } from './bulk.ts';
export { mountCatalogRoutes } from './catalog-routes.ts';
export { MAX_NUMBER_BYTES, writeFloat32s } from './float32-text.ts';
export { mountVectorRoutes } from './routes.ts';
export {
  type Asked,
  type VectorOptions,
  type VectorService,
  checkAllowed,
  createVectorService,
  fetchModel,
  reserve,
  translated,
} from './service.ts';
export { mountUsageRoutes } from './usage-routes.ts';

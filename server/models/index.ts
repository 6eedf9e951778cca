// Models: the catalog, where their files come from, and which are here.
export { shippedCatalog, type CatalogEntry, type Precision } from './catalog.ts';
export { modelsCommand } from './command.ts';
export type { ModelRecord, Verification } from './installed.ts';
export {
  ModelUnavailable,
  openModels,
  type Models,
  type ModelsOptions,
  type ModelState,
  type Progress,
} from './models.ts';

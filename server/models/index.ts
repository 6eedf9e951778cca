// Models: the catalog, where their files come from, and which are here.
export { shippedCatalog, type CatalogEntry, type DecoderEntry, type EncoderEntry } from './catalog.ts';
export { modelsCommand, modelsUsage } from './command.ts';
export { openModels, type Models } from './models.ts';

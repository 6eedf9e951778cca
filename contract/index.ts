// The contract: every route, field and error code, from which types, validation and the OpenAPI document come.
import { adminRoutes } from './admin.ts';
import { consoleBillingRoutes } from './console-billing.ts';
import { consoleKeyRoutes } from './console-keys.ts';
import { consoleOperatorRoutes } from './console-operator.ts';
import { signInRoutes } from './console-sign-in.ts';
import { consoleRoutes } from './console.ts';
import { datasetRoutes } from './datasets.ts';
import { generationRoutes } from './generation.ts';
import { jobRoutes } from './jobs.ts';
import { modelRoutes } from './models.ts';
import type { Route } from './route.ts';
import { systemRoutes } from './system.ts';
import { vectorRoutes } from './vectors.ts';

export { alertPercents, ledgerKinds } from './console-billing.ts';
export { keyScopes } from './console-keys.ts';
export { languages } from './console-sign-in.ts';
export { downloadFormats, maxRowsPerPage, previewRows, uploadFormats } from './datasets.ts';
export { check, type Checked, type Refusal } from './check.ts';
export {
  errorBody,
  errorKinds,
  errorSchemas,
  statusOf,
  type Dialect,
  type ErrorCode,
  type ErrorDetails,
} from './errors.ts';
export { countCharacters, maxBatchCharacters, maxTextCharacters } from './fields.ts';
export { messages } from './generation.ts';
export { jobShape } from './jobs.ts';
export { aliasPattern } from './model-shapes.ts';
export { errorCodesOf, openApiDocument } from './openapi.ts';
export { type CellColumn, type CellTable, type PredictData, cellKinds, cellTable } from './rows.ts';
export { roles, sessionCookie } from './route.ts';
export type {
  AnswerOf,
  BodyOf,
  ParamsOf,
  QueryOf,
  Received,
  Role,
  Route,
  Scope,
  SentBody,
  SentParams,
  SentQuery,
} from './route.ts';
export { chunkingMethods, defaultChunkOverlap, defaultChunkSize, usagePeriods } from './vectors.ts';

/** Every route of the API by its id's name. */
export const routes = {
  ...vectorRoutes,
  ...datasetRoutes,
  ...modelRoutes,
  ...generationRoutes,
  ...jobRoutes,
  ...systemRoutes,
  ...adminRoutes,
  ...signInRoutes,
  ...consoleRoutes,
  ...consoleKeyRoutes,
  ...consoleBillingRoutes,
  ...consoleOperatorRoutes,
};

/** The route with this id. */
export function routeById(id: string): Route {
  const route = byId.get(id);
  if (!route) throw new Error(`no route ${id}`);
  return route;
}

const byId = new Map<string, Route>(Object.values(routes).map(route => [route.id, route]));

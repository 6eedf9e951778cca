// All operations there are, by name.
import { automatic } from './automatic.ts';
import { cleanOperations } from './clean.ts';
import { combineOperations } from './combine.ts';
import { enrichOperations } from './enrich.ts';
import type { Definition } from './plan.ts';
import { transformOperations } from './transform.ts';

export const operationTable: Record<string, Definition> = {
  ...cleanOperations,
  ...transformOperations,
  ...combineOperations,
  ...enrichOperations,
  /** What a `clean` without `op` is. */
  clean: automatic,
};

export const operationNames: readonly string[] = Object.keys(operationTable);

// Checks a list of operations against the files it is for, before anything runs.
import type { DuckDBConnection } from '@duckdb/node-api';
import { TableError } from '../errors.ts';
import type { ProcessJob } from '../types.ts';
import { createCompiler, prepare } from './compile.ts';
import type { Prepared } from './compile.ts';
import type { BatchPlan } from './plan.ts';
import type { TypedColumn } from './sql.ts';

/** A `clean` without `op`. */
const automatic = 'clean';

/** Throws TableError for the first operation that can't be run on these files. Reads schemas, and no rows. */
export async function checkOperations(
  connection: DuckDBConnection,
  job: Pick<ProcessJob, 'source' | 'operations' | 'datasets'>,
): Promise<void> {
  const prepared = prepare(job.operations);
  const compiler = createCompiler(connection, job);
  let columns: readonly TypedColumn[] = await compiler.columnsOfFile(job.source);
  /** After an automatic cleaning: the columns keep their names, and nobody knows what types they will have. */
  let typesAreOpen = false;
  for (const [index, operation] of prepared.entries()) {
    try {
      const plan = await compiler.plan(operation, { index, columns, ask: () => Promise.resolve([]), services: null });
      if (plan.kind === 'split') mustBeLast(index, prepared);
      else if (operation.op === automatic) typesAreOpen = true;
      // What comes after depends on what is in the data: it is checked when that is known, before any output.
      else if (operation.definition.opens?.(operation.params) === true) return;
      else if (plan.kind === 'batches') columns = [...columns, ...(await columnsOfBatches(plan))];
      else columns = (await compiler.settle(plan, index, columns)).at(-1)?.after ?? columns;
    } catch (error) {
      const holdsForAnyType = error instanceof TableError && error.code === 'UNKNOWN_COLUMN';
      if (typesAreOpen && !holdsForAnyType) return;
      throw error;
    }
  }
}

function mustBeLast(index: number, prepared: readonly Prepared[]): void {
  if (index + 1 === prepared.length) return;
  const place = `operations[${index}]`;
  throw new TableError('INVALID_PARAMS', `${place}: split_dataset must be the last operation`, place);
}

async function columnsOfBatches(plan: BatchPlan): Promise<TypedColumn[]> {
  const columns = await plan.columns(() => Promise.resolve([]), '');
  return columns.map(({ name, sql }) => ({
    name,
    type:
      sql === 'a.vector'
        ? 'FLOAT[]'
        : sql === 'a.number'
          ? 'INTEGER'
          : sql.startsWith('from_json')
            ? 'VARCHAR[]'
            : 'VARCHAR',
  }));
}

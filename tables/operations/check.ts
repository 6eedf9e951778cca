// Checks a list of operations against the files it is for, before anything runs.
import type { DuckDBConnection } from '@duckdb/node-api';
import { TableError } from '../errors.ts';
import type { ProcessJob } from '../types.ts';
import { toRows } from '../values.ts';
import { createCompiler, prepare } from './compile.ts';
import type { Prepared } from './compile.ts';
import { tableError } from './failures.ts';
import type { BatchPlan, Step } from './plan.ts';
import { render, row } from './render.ts';
import type { Planned } from './render.ts';
import { rowsOfFile, sourceOfFile } from './source.ts';
import type { TypedColumn } from './sql.ts';

/** A `clean` without `op`. */
const automatic = 'clean';

/** So many cells may be looked at by a check: a fraction of a second. */
const mostCheckedCells = 500_000;

/**
 * Throws TableError for the first operation that can't be run on these files. Reads schemas, and of small files also the rows where
 * they decide which columns or types there will be.
 */
export async function checkOperations(
  connection: DuckDBConnection,
  job: Pick<ProcessJob, 'source' | 'operations' | 'datasets'>,
): Promise<void> {
  const prepared = prepare(job.operations);
  const compiler = createCompiler(connection, job);
  let columns: readonly TypedColumn[] = await compiler.columnsOfFile(job.source);
  const rows = await rowsOfFile(connection, job.source);
  /** The query so far, while its rows may be looked at. */
  let seen: Planned[] | null = rows * columns.length <= mostCheckedCells ? [] : null;
  const source = sourceOfFile(job.source, columns, rows);
  /** After an automatic cleaning: the columns keep their names, and nobody knows what types they will have. */
  let typesAreOpen = false;
  for (const [index, operation] of prepared.entries()) {
    try {
      const decidesByData = operation.op === automatic || operation.definition.opens?.(operation.params) === true;
      const ask: Step['ask'] = async sql => {
        if (!decidesByData || !seen) return [];
        const query = `SELECT *, row_number() OVER () AS ${row} FROM (${render(source, seen, null).sql})`;
        return toRows(await connection.runAndReadAll(sql({ from: `(${query})`, row })));
      };
      const blind = !decidesByData || !seen;
      const plan = await compiler.plan(operation, { index, columns, ask, blind, services: null });
      if (plan.kind === 'split') mustBeLast(index, prepared);
      else if (plan.kind === 'batches') {
        columns = [...columns, ...(await columnsOfBatches(plan))];
        seen = null;
      } else if (!decidesByData || seen) {
        const settled = await compiler.settle(plan, index, columns);
        columns = settled.at(-1)?.after ?? columns;
        seen?.push(...settled);
      } else if (operation.op === automatic) typesAreOpen = true;
      // What comes after depends on what is in the data: it is checked when that is known, before any output.
      else return;
    } catch (cause) {
      const error = tableError(cause);
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

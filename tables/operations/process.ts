// Checks and runs a list of operations on a dataset: as few queries as can be, each result a Parquet file that appears whole or not at
// all, and a report that was counted on the way.
import type { DuckDBConnection } from '@duckdb/node-api';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromAny, TableError } from '../errors.ts';
import type { OperationReport, Processed, ProcessJob, Row, RunOptions, Services, Value } from '../types.ts';
import { runBatches } from './batches.ts';
import { createCompiler, firstLine, prepare } from './compile.ts';
import type { Compiler, Prepared } from './compile.ts';
import type { BatchPlan, SplitPlan, Step } from './plan.ts';
import { keepsRows, render, row } from './render.ts';
import type { Planned, Source } from './render.ts';
import { identifier, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { createTally } from './tally.ts';
import { toRows } from '../values.ts';

/** Of JSON: a preview ends with the row that reaches this, as a page of rows does. */
const mostPreviewCharacters = 8 * 1024 * 1024;
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

export async function processOperations(
  connection: DuckDBConnection,
  job: ProcessJob,
  services: Services,
  run: RunOptions = {},
): Promise<Processed> {
  await checkOperations(connection, job);
  const interrupt = (): void => connection.interrupt();
  run.signal?.throwIfAborted();
  run.signal?.addEventListener('abort', interrupt);
  try {
    return await new Processing(connection, job, services, run).run();
  } catch (error) {
    run.signal?.throwIfAborted();
    throw tableError(error);
  } finally {
    run.signal?.removeEventListener('abort', interrupt);
  }
}

async function rowsOfFile(connection: DuckDBConnection, path: string): Promise<number> {
  const counted = await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM read_parquet(${literal(path)})`);
  return Number(counted.getRows()[0]?.[0] ?? 0);
}

function sourceOfFile(path: string, columns: readonly TypedColumn[], rows: number): Source {
  const names = columns.map(({ name }) => identifier(name));
  return {
    columns,
    sql: withRow =>
      `SELECT ${list([...names, ...(withRow ? [`file_row_number AS ${row}`] : [])])} FROM read_parquet(${literal(path)}${withRow ? ', file_row_number = true' : ''})`,
    scrambled: false,
    rows,
  };
}

/** One run. `source` and `plans` are the query that isn't run yet. */
class Processing {
  readonly #connection: DuckDBConnection;
  readonly #job: ProcessJob;
  readonly #services: Services;
  readonly #run: RunOptions;
  readonly #compiler: Compiler;
  readonly #prepared: Prepared[];
  readonly #reports: OperationReport[];
  #source: Source = { columns: [], sql: () => '', scrambled: false, rows: 0 };
  /** The file that `source` is, when it is one. */
  #file: string | null = null;
  #plans: Planned[] = [];

  constructor(connection: DuckDBConnection, job: ProcessJob, services: Services, run: RunOptions) {
    this.#connection = connection;
    this.#job = job;
    this.#services = services;
    this.#run = run;
    this.#compiler = createCompiler(connection, job);
    this.#prepared = prepare(job.operations);
    this.#reports = this.#prepared.map(({ type, op }) => ({
      type,
      op,
      rowsIn: 0,
      rowsOut: 0,
      cellsChanged: named(),
      columnsAdded: [],
      columnsRemoved: [],
    }));
  }

  async run(): Promise<Processed> {
    await this.#begin(this.#job.source);
    for (const [index, prepared] of this.#prepared.entries()) {
      this.#run.signal?.throwIfAborted();
      this.#run.onProgress?.(index / (this.#prepared.length + 1));
      if (prepared.definition.asks?.(prepared.params) === true) await this.#materialise(index);
      const columns = this.#columns();
      const plan = await this.#compiler.plan(prepared, {
        index,
        columns,
        services: this.#services,
        blind: false,
        ask: sql => this.#ask(sql({ from: `(${this.#source.sql(true)})`, row }), index),
      });
      if (plan.kind === 'split') {
        const outputs = await this.#split(plan, index);
        return {
          outputs,
          report: this.#job.preview === undefined ? this.#reports : [],
          preview: await this.#previewOfSplit(plan),
        };
      }
      if (plan.kind === 'batches') await this.#batches(plan, index);
      else this.#plans.push(...(await this.#compiler.settle(plan, index, columns)));
      this.#noteColumns(index, columns);
    }
    if (this.#job.preview !== undefined) {
      const { sql } = render(this.#source, this.#plans, null);
      return { outputs: [], report: [], preview: await this.#preview(sql) };
    }
    const path = join(this.#job.folder, 'output.parquet');
    const rows = await this.#copy(path, 'zstd');
    const output = { name: null, path, rows, columns: await this.#outputColumns(path) };
    this.#run.onProgress?.(1);
    return { outputs: [output], report: this.#reports, preview: null };
  }

  #columns(): readonly TypedColumn[] {
    return this.#plans.at(-1)?.after ?? this.#source.columns;
  }

  async #query(sql: string): Promise<Row[]> {
    return toRows(await this.#connection.runAndReadAll(sql));
  }

  /** For an operation that looks at the data before it is planned. */
  async #ask(sql: string, index: number): Promise<Row[]> {
    return this.#query(sql).catch((error: unknown) => {
      const known = tableError(error);
      if (!(known instanceof TableError) || known.param !== undefined) throw error;
      const place = `operations[${index}].params`;
      throw new TableError(known.code, `${place}: ${known.message}`, place);
    });
  }

  async #begin(path: string): Promise<void> {
    const columns = await this.#compiler.columnsOfFile(path);
    this.#source = sourceOfFile(path, columns, await rowsOfFile(this.#connection, path));
    this.#file = path;
    this.#plans = [];
  }

  /** Makes a file of the query so far, so that what follows may look at it more than once. */
  async #materialise(index: number, limit?: number): Promise<void> {
    if (this.#plans.length === 0 && this.#file !== null && limit === undefined) return;
    const path = join(this.#job.folder, `operation-${index}-input.parquet`);
    await this.#copy(path, 'lz4', limit);
    await this.#begin(path);
  }

  /** Runs the query into a file. */
  async #copy(path: string, compression: 'zstd' | 'lz4', limit?: number): Promise<number> {
    const tally = this.#job.preview === undefined ? createTally(this.#connection) : null;
    const { sql, counted, rowsOut } = render(this.#source, this.#plans, tally);
    const limited = limit === undefined ? sql : `SELECT * FROM (${sql}) LIMIT ${limit}`;
    const timer = this.#watch();
    let final: number;
    try {
      final = await this.#write(limited, path, compression);
    } finally {
      clearInterval(timer);
    }
    let rows = this.#source.rows;
    for (const planned of this.#plans) {
      const report = this.#reports[planned.index];
      if (!report) throw new Error('A plan belongs to no operation');
      const isFirst = this.#plans.find(({ index }) => index === planned.index) === planned;
      if (isFirst) report.rowsIn = rows;
      const before = rows;
      const slot = rowsOut.get(planned);
      if (!keepsRows(planned.plan)) rows = slot === undefined ? final : (tally?.counts(slot)[0] ?? 0);
      report.rowsOut = rows;
      this.#noteCounts(report, planned, { counts: counted, tally, gone: before - rows });
    }
    return final;
  }

  /** The file appears whole or not at all. Answers its number of rows. */
  async #write(sql: string, path: string, compression: 'zstd' | 'lz4'): Promise<number> {
    const temporary = `${path}.tmp`;
    try {
      const copy = `COPY (${sql}) TO ${literal(temporary)} (FORMAT parquet, COMPRESSION ${compression}, USE_TMP_FILE false)`;
      const result = await this.#connection.runAndReadAll(copy);
      await rename(temporary, path);
      return Number(result.getRowsJson()[0]?.[0] ?? 0);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #noteCounts(
    report: OperationReport,
    planned: Planned,
    {
      counts,
      tally,
      gone,
    }: {
      counts: Map<Planned, { slot: number; names: string[] }>;
      tally: ReturnType<typeof createTally> | null;
      gone: number;
    },
  ): void {
    const { plan } = planned;
    const details: Record<string, Value> = named(plan.details);
    const own = counts.get(planned);
    own?.names.forEach((name, position) => {
      const count = tally?.counts(own.slot)[position + 1] ?? 0;
      if (plan.kind === 'filter') details[name] = count;
      else report.cellsChanged[name] = (report.cellsChanged[name] ?? 0) + count;
    });
    if (plan.kind === 'query' && plan.droppedAs !== undefined) details[plan.droppedAs] = gone;
    if (Object.keys(details).length > 0) report.details = Object.assign(named(report.details), details);
  }

  #noteColumns(index: number, before: readonly TypedColumn[]): void {
    const report = this.#reports[index];
    if (!report) return;
    const [old, now] = [before, this.#columns()].map(columns => columns.map(({ name }) => name));
    report.columnsAdded = (now ?? []).filter(name => old?.includes(name) !== true);
    report.columnsRemoved = (old ?? []).filter(name => now?.includes(name) !== true);
  }

  async #batches(plan: BatchPlan, index: number): Promise<void> {
    const { preview } = this.#job;
    const restIsRowByRow = this.#prepared.slice(index).every(({ definition }) => definition.rowByRow === true);
    await this.#materialise(index, preview !== undefined && restIsRowByRow ? preview : undefined);
    if (this.#file === null) throw new Error('Batches need a file');
    const input = { path: this.#file, rows: this.#source.rows, columns: this.#source.columns };
    this.#source = await runBatches(plan, input, {
      connection: this.#connection,
      folder: this.#job.folder,
      index,
      services: this.#services,
      query: sql => this.#query(sql),
      describe: async sql =>
        (await this.#query(`DESCRIBE ${sql}`)).map(column => ({
          name: String(column['column_name']),
          type: String(column['column_type']),
        })),
      signal: this.#run.signal,
      onProgress: fraction => this.#run.onProgress?.((index + fraction) / (this.#prepared.length + 1)),
    });
    this.#file = null;
    const report = this.#reports[index];
    if (report) [report.rowsIn, report.rowsOut] = [input.rows, this.#source.rows];
  }

  async #split(plan: SplitPlan, index: number): Promise<Processed['outputs']> {
    const report = this.#reports[index];
    if (report) [report.rowsIn, report.rowsOut] = [this.#source.rows, this.#source.rows];
    if (this.#job.preview !== undefined) return [];
    const outputs: Processed['outputs'] = [];
    for (const [part, { name, where }] of plan.outputs.entries()) {
      const path = join(this.#job.folder, `output-${part}.parquet`);
      const names = list(this.#source.columns.map(column => identifier(column.name)));
      const sql = `SELECT ${names} FROM (${this.#source.sql(true)}) WHERE ${where}`;
      const rows = await this.#write(sql, path, 'zstd');
      outputs.push({ name, path, rows, columns: await this.#outputColumns(path) });
    }
    if (report) report.details = Object.fromEntries(outputs.map(({ name, rows }) => [String(name), rows]));
    return outputs;
  }

  async #preview(sql: string): Promise<Row[]> {
    const most = Math.max(0, Math.trunc(this.#job.preview ?? 0));
    const rows = await this.#query(`SELECT * FROM (${sql}) LIMIT ${most}`);
    let characters = 0;
    const end = rows.findIndex(cells => (characters += JSON.stringify(cells).length) >= mostPreviewCharacters);
    return end < 0 ? rows : rows.slice(0, end + 1);
  }

  /** Of the first part. */
  async #previewOfSplit(plan: SplitPlan): Promise<Row[] | null> {
    if (this.#job.preview === undefined) return null;
    const names = list(this.#source.columns.map(column => identifier(column.name)));
    return this.#preview(`SELECT ${names} FROM (${this.#source.sql(true)}) WHERE ${plan.outputs[0]?.where ?? 'true'}`);
  }

  async #outputColumns(path: string): Promise<Processed['outputs'][number]['columns']> {
    const columns = await this.#compiler.columnsOfFile(path);
    const counts = columns.map(({ name }, index) => `(count(*) - count(${identifier(name)}))::DOUBLE AS n${index}`);
    const [nulls] = await this.#query(`SELECT ${list(counts)} FROM read_parquet(${literal(path)})`);
    return columns.map((column, index) => ({ ...column, nulls: Number(nulls?.[`n${index}`] ?? 0) }));
  }

  #watch(): NodeJS.Timeout {
    const first = Math.min(...this.#plans.map(({ index }) => index), this.#prepared.length);
    return setInterval(() => {
      const share = Math.max(0, this.#connection.progress.percentage) / 100;
      const last = (this.#plans.at(-1)?.index ?? first) + 1;
      this.#run.onProgress?.((first + share * (last - first)) / (this.#prepared.length + 1));
    }, 500);
  }
}

/** For names that users chose: nothing is in it, not even what all objects have (`constructor`). */
function named<Entry>(entries: Readonly<Record<string, Entry>> = {}): Record<string, Entry> {
  return Object.assign<Record<string, Entry>, Readonly<Record<string, Entry>>>(Object.create(null), entries);
}

/**
 * What DuckDB says while it computes is the user's to know, but for trouble with files and with itself; a place of ours in it becomes the
 * place of the error.
 */
function tableError(error: unknown): unknown {
  if (error instanceof TableError || !(error instanceof Error)) return error;
  const kind = /^([A-Z][A-Za-z ]+) Error: /.exec(error.message);
  if (!kind || ['IO', 'INTERNAL', 'FATAL', 'Permission'].includes(kind[1] ?? '')) return error;
  if (kind[1] === 'Out of Memory') return fromAny(error);
  const message = error.message.slice(kind[0].length);
  const place = /^operations\[\d+\]\.params[^:]*/.exec(message)?.[0];
  return new TableError('OPERATION_FAILED', place === undefined ? firstLine(error) : message, place);
}

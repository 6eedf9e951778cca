// Runs a list of operations on a dataset: as few queries as can be, each result a Parquet file that appears whole or not at all, and a
// report that was counted on the way.
import type { DuckDBConnection } from '@duckdb/node-api';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TableError } from '../errors.ts';
import { describeParquet, groupRows, rowBytesOf } from '../ingest/parquet.ts';
import type { OperationReport, Processed, ProcessJob, Row, RunOptions, Services, Value } from '../types.ts';
import { runBatches } from './batches.ts';
import { checkOperations } from './check.ts';
import { chooseRows, mostChoosableRows } from './choice.ts';
import { createCompiler, prepare } from './compile.ts';
import type { Compiler, Prepared } from './compile.ts';
import { tableError } from './failures.ts';
import type { BatchPlan, QueryPlan, SplitPlan } from './plan.ts';
import { keepsRows, render, row } from './render.ts';
import type { Planned, Source } from './render.ts';
import { identifier, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { rowsOfFile, sourceOfFile } from './source.ts';
import { createTally } from './tally.ts';
import { toRows } from '../values.ts';

/** Of JSON: a preview ends with the row that reaches this, as a page of rows does. */
const mostPreviewCharacters = 8 * 1024 * 1024;
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
  /** Operations, and a share of the next. */
  #done = 0;
  #mostRowBytes: number | null = null;
  readonly #reading = { query: (sql: string) => this.#connection.runAndReadAll(sql) };

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
      this.#progress(index);
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
      else {
        for (const planned of await this.#compiler.settle(plan, index, columns)) {
          this.#plans.push(await this.#chosen(planned));
        }
      }
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

  /** A plan that only chooses among the rows of a file gives way to its choice; what stands between is computed again for it. */
  async #chosen(planned: Planned): Promise<Planned> {
    const { plan, index, before, after } = planned;
    if (plan.kind !== 'query' || !plan.choice || this.#file === null || this.#source.rows > mostChoosableRows)
      return planned;
    if (this.#plans.some(({ plan: earlier }) => earlier.kind === 'query')) return planned;
    const number = { name: 'number', type: 'BIGINT' };
    const choice: QueryPlan = { kind: 'query', rows: 'any', row: 'new', needsRow: true, sql: plan.choice };
    const { sql } = render(this.#source, [...this.#plans, { plan: choice, index, before, after: [number] }], null);
    const { condition, count } = await this.#watched([index, index + 1], () =>
      chooseRows(this.#connection, { select: sql, rows: this.#source.rows }),
    );
    const { droppedAs, details } = plan;
    const where = condition(row);
    return {
      plan: {
        kind: 'filter',
        where,
        needsRow: true,
        rowsOut: count,
        ...(droppedAs !== undefined && { droppedAs }),
        ...(details && { details }),
      },
      index,
      before,
      after,
    };
  }

  /** Runs the query into a file. */
  async #copy(path: string, compression: 'zstd' | 'lz4', limit?: number): Promise<number> {
    const tally = this.#job.preview === undefined ? createTally(this.#connection) : null;
    const { sql, counted, rowsOut } = render(this.#source, this.#plans, tally);
    const limited = limit === undefined ? sql : `SELECT * FROM (${sql}) LIMIT ${limit}`;
    const [first = this.#prepared.length, last = first] = [this.#plans[0]?.index, this.#plans.at(-1)?.index];
    const final = await this.#watched([first, last + 1], () => this.#write(limited, path, compression));
    const countOf = (counter: number): number => tally?.countOf(counter) ?? 0;
    let rows = this.#source.rows;
    for (const planned of this.#plans) {
      const report = this.#reports[planned.index];
      if (!report) throw new Error('A plan belongs to no operation');
      const isFirst = this.#plans.find(({ index }) => index === planned.index) === planned;
      if (isFirst) report.rowsIn = rows;
      const before = rows;
      const counter = rowsOut.get(planned);
      const known = planned.plan.kind === 'filter' ? planned.plan.rowsOut : undefined;
      if (!keepsRows(planned.plan)) rows = known ?? (counter === undefined ? final : countOf(counter));
      report.rowsOut = rows;
      const cells = (counted.get(planned) ?? []).map(({ name, counter: of }) => [name, countOf(of)] as const);
      this.#noteCounts(report, planned, { cells, gone: before - rows });
    }
    return final;
  }

  /** Of a row of the source and one of each dataset beside it: what is joined is as wide. */
  async #rowBytes(): Promise<number> {
    if (this.#mostRowBytes === null) {
      this.#mostRowBytes = 0;
      for (const path of [this.#job.source, ...Object.values(this.#job.datasets)]) {
        this.#mostRowBytes += await rowBytesOf(this.#reading, path);
      }
    }
    return this.#mostRowBytes;
  }

  /** The file appears whole or not at all. Answers its number of rows. */
  async #write(sql: string, path: string, compression: 'zstd' | 'lz4'): Promise<number> {
    const temporary = `${path}.tmp`;
    try {
      const group = groupRows({ columns: this.#columns().length, rowBytes: await this.#rowBytes() });
      const copy = `COPY (${sql}) TO ${literal(temporary)} (FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${group}, USE_TMP_FILE false)`;
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
    { plan }: Planned,
    { cells, gone }: { cells: (readonly [string, number])[]; gone: number },
  ): void {
    const details: Record<string, Value> = named(plan.details);
    for (const [name, count] of cells) {
      if (plan.kind === 'filter') details[name] = count;
      else report.cellsChanged[name] = (report.cellsChanged[name] ?? 0) + count;
    }
    if (plan.kind !== 'map' && plan.droppedAs !== undefined) details[plan.droppedAs] = gone;
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
      onProgress: fraction => this.#progress(index + fraction),
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
    return describeParquet(this.#reading, path);
  }

  /** Tells the progress of a statement that takes the operations from one number to another. */
  async #watched<Result>([from, to]: readonly [number, number], run: () => Promise<Result>): Promise<Result> {
    const timer = setInterval(() => {
      const share = Math.max(0, this.#connection.progress.percentage) / 100;
      this.#progress(from + share * (to - from));
    }, 500);
    try {
      return await run();
    } finally {
      clearInterval(timer);
    }
  }

  /** Never less than before. */
  #progress(operations: number): void {
    if (operations <= this.#done) return;
    this.#done = operations;
    this.#run.onProgress?.(operations / (this.#prepared.length + 1));
  }
}

/** For names that users chose: nothing is in it, not even what all objects have (`constructor`). */
function named<Entry>(entries: Readonly<Record<string, Entry>> = {}): Record<string, Entry> {
  return Object.assign<Record<string, Entry>, Readonly<Record<string, Entry>>>(Object.create(null), entries);
}

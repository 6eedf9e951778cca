// Operations become plans, one after the other, each on the schema that the one before leaves; DuckDB tells the schemas, without data.
import type { DuckDBConnection } from '@duckdb/node-api';
import { TableError } from '../errors.ts';
import { safeExpression } from '../sandbox.ts';
import type { Operation, ProcessJob } from '../types.ts';
import { isObject, Params } from './params.ts';
import type { Definition, Input, Plan, Step } from './plan.ts';
import type { Planned, SqlPlan } from './render.ts';
import { row } from './render.ts';
import { identifier, list, literal, nearest } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { registerTextFunction } from './text-functions.ts';
import { operationNames, operationTable } from './table.ts';

export interface Prepared {
  type: Operation['type'];
  /** `clean` of a `clean` without `op` */
  op: string;
  definition: Definition;
  plan: (step: Step) => Plan | Promise<Plan>;
  params: Params;
}

const mostOperations = 200;

/** Checks what can be checked without the schema: names, families, parameters. */
export function prepare(operations: readonly Operation[]): Prepared[] {
  if (!Array.isArray(operations) || operations.length === 0) {
    throw new TableError('INVALID_PARAMS', 'operations must be a list of at least one operation', 'operations');
  }
  if (operations.length > mostOperations) {
    throw new TableError('INVALID_PARAMS', `operations has more than ${mostOperations} items`, 'operations');
  }
  return operations.map((operation: unknown, index) => prepareOne(operation, `operations[${index}]`));
}

function prepareOne(operation: unknown, place: string): Prepared {
  if (!isObject(operation)) throw new TableError('INVALID_PARAMS', `${place} must be an object`, place);
  const { type } = operation;
  if (type !== 'clean' && type !== 'transform' && type !== 'enrich') {
    throw new TableError('INVALID_PARAMS', `${place}.type must be one of clean, transform, enrich`, `${place}.type`);
  }
  const { op: named, ...others } = isObject(operation['params'])
    ? operation['params']
    : { ...noParams(operation['params'], `${place}.params`) };
  const at = `${place}.params.op`;
  if (named === undefined && type !== 'clean') throw new TableError('INVALID_PARAMS', `${at} is missing`, at);
  const op = named ?? 'clean';
  const definition = typeof op === 'string' && Object.hasOwn(operationTable, op) ? operationTable[op] : undefined;
  if (typeof op !== 'string' || !definition) {
    const meant = typeof op === 'string' ? nearest(op, operationNames) : null;
    const hint = meant === null ? '' : `; did you mean ${meant}?`;
    throw new TableError('UNKNOWN_OPERATION', `${at} names an operation that there isn't${hint}`, at);
  }
  if (definition.family !== type) {
    const message = `${place}.type must be ${definition.family}: ${op} belongs there`;
    throw new TableError('WRONG_FAMILY', message, `${place}.type`);
  }
  const params = new Params(others, `${place}.params`);
  const plan = definition.read(params);
  params.finish();
  return { type, op, definition, plan, params };
}

function noParams(value: unknown, place: string): object {
  if (value === undefined || value === null) return {};
  throw new TableError('INVALID_PARAMS', `${place} must be an object`, place);
}

/** What makes plans, on one connection for one job. */
export interface Compiler {
  columnsOfFile(path: string): Promise<TypedColumn[]>;
  plan(prepared: Prepared, at: Pick<Step, 'index' | 'columns' | 'ask' | 'blind' | 'services'>): Promise<Plan>;
  /** The plans with their schemas; sequences are taken apart. */
  settle(
    plan: SqlPlan | { kind: 'sequence'; steps: Plan[] },
    index: number,
    columns: readonly TypedColumn[],
  ): Promise<Planned[]>;
}

export function createCompiler(connection: DuckDBConnection, job: Pick<ProcessJob, 'datasets'>): Compiler {
  async function describe(sql: string): Promise<TypedColumn[]> {
    const rows = (await connection.runAndReadAll(`DESCRIBE ${sql}`)).getRowObjectsJson();
    return rows.map(column => ({ name: String(column['column_name']), type: String(column['column_type']) }));
  }

  async function columnsOfFile(path: string): Promise<TypedColumn[]> {
    const columns = await describe(`SELECT * FROM read_parquet(${literal(path)})`);
    if (columns.some(({ name }) => name.startsWith('\u0001'))) {
      throw new TableError('INVALID_PARAMS', 'A column of the dataset has a name that begins with a control character');
    }
    return columns;
  }

  async function settle(
    plan: SqlPlan | { kind: 'sequence'; steps: Plan[] },
    index: number,
    columns: readonly TypedColumn[],
  ): Promise<Planned[]> {
    if (plan.kind === 'sequence') {
      const all: Planned[] = [];
      for (const step of plan.steps) {
        if (step.kind === 'batches' || step.kind === 'split') throw new Error('Only SQL can be in a sequence');
        all.push(...(await settle(step, index, all.at(-1)?.after ?? columns)));
      }
      return all;
    }
    try {
      const after = (await describe(emptySql(plan, columns))).filter(({ name }) => identifier(name) !== row);
      return [{ plan, index, before: columns, after }];
    } catch (error) {
      const place = `operations[${index}].params`;
      throw new TableError('INVALID_PARAMS', `${place}: ${firstLine(error)}`, place);
    }
  }

  return {
    columnsOfFile,
    settle,
    async plan(prepared, { index, columns, ask, blind, services }) {
      const { params } = prepared;
      async function typeOf(sql: string, name: string, known = columns): Promise<string> {
        try {
          const [column] = await describe(`SELECT ${sql} AS x FROM ${empty(known)}`);
          return column?.type ?? 'NULL';
        } catch (error) {
          const place = params.at(name);
          throw new TableError('INVALID_EXPRESSION', `${place}: ${firstLine(error)}`, place);
        }
      }
      const step: Step = {
        columns,
        params,
        index,
        services,
        ask,
        blind,
        typeOf,
        async expression(text, name, { columns: known = columns, aggregates = false } = {}) {
          const sql = await safeExpression(connection, text, { columns: known, aggregates, place: params.at(name) });
          const type = await typeOf(sql, name, known);
          const isCondition = name === 'where' || name.endsWith('.where');
          if (isCondition && type !== 'BOOLEAN' && type !== '"NULL"') {
            const message = `${params.at(name)} must be a condition, and is ${type}`;
            throw new TableError('INVALID_EXPRESSION', message, params.at(name));
          }
          return sql;
        },
        async evaluate(sql, name) {
          try {
            const [[value] = []] = (await connection.runAndReadAll(`SELECT CAST(${sql} AS VARCHAR)`)).getRowsJson();
            return value === null || value === undefined ? null : String(value);
          } catch (error) {
            throw params.wrong(name, `can't be used: ${firstLine(error)}`);
          }
        },
        async constant(value, type, name) {
          const sql = `CAST(${literal(value)} AS ${type})`;
          await step.evaluate(sql, name);
          return sql;
        },
        async constants(values, type) {
          const all = values.map(({ value }) => `CAST(${literal(value)} AS ${type})`);
          try {
            await connection.run(`SELECT len([${list(all)}])`);
          } catch {
            // One by one, so that the error names the place.
            for (const [position, { name }] of values.entries()) await step.evaluate(all[position] ?? 'NULL', name);
          }
          return all;
        },
        textFunction: run => registerTextFunction(connection, run),
        async dataset(name) {
          const path = Object.hasOwn(job.datasets, name) ? job.datasets[name] : undefined;
          const place = params.at('dataset_id');
          if (path === undefined) {
            throw new TableError(
              'UNKNOWN_DATASET',
              `${place} names a dataset ${JSON.stringify(name)} that isn't there`,
              place,
            );
          }
          return {
            sql: `read_parquet(${literal(path)}, file_row_number = true)`,
            columns: await columnsOfFile(path),
          };
        },
      };
      return prepared.plan(step);
    },
  };
}

/** A relation without rows that has these columns, and the row column. */
function empty(columns: readonly TypedColumn[]): string {
  const cells = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${identifier(name)}`);
  return `(SELECT ${list([...cells, `0::BIGINT AS ${row}`])} WHERE false)`;
}

function emptySql(plan: SqlPlan, columns: readonly TypedColumn[]): string {
  const from = empty(columns);
  if (plan.kind === 'filter') return `SELECT * FROM ${from} WHERE ${plan.where}`;
  if (plan.kind === 'query') return plan.sql({ from, row } satisfies Input);
  return `SELECT ${list(plan.columns.map(({ name, sql }) => `${sql} AS ${identifier(name)}`))} FROM ${from}`;
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

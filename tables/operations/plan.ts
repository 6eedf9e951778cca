// What an operation is to the compiler: parameters that it reads, and a plan that it makes of them on a known schema.
import type { Operation, Row, Services, Value } from '../types.ts';
import type { Params, Scalar } from './params.ts';
import type { TypedColumn } from './sql.ts';

export interface Input {
  /** What stands after FROM. Its columns are those of the step's schema, and `row` where it isn't null. */
  from: string;
  /** The quoted column that tells the order of the rows; null when nobody needs it. */
  row: string | null;
}

interface RowEffect {
  /** `same`: as many come out as went in, which then need not be counted. */
  rows: 'same' | 'any';
  /** The plan's SQL must be given a row column. */
  needsRow?: boolean;
  /** The rows that go in must be in their order, as after a sort that the step would not see. */
  needsOrder?: boolean;
}

/** Row by row: the columns that come out, in order, each an expression over the columns that go in. */
export interface MapPlan {
  kind: 'map';
  columns: { name: string; sql: string }[];
  /** Names of columns that are there before and after, and whose changed cells are counted. */
  changes: string[];
  details?: Details;
}

/** Rows for which the condition isn't true go. */
export interface FilterPlan {
  kind: 'filter';
  where: string;
  /** The condition looks at the row column. */
  needsRow?: boolean;
  /** Conditions over the rows that go in, counted for the details. */
  counts?: Record<string, string>;
  /** How many rows come out, where that is known before. */
  rowsOut?: number;
  /** Name in the details of the rows that went. */
  droppedAs?: string;
  details?: Details;
}

/** A SELECT of its own. */
export interface QueryPlan extends RowEffect {
  kind: 'query';
  sql: (input: Input) => string;
  /** `kept`: the row column still tells the order, and must be in the SELECT when it was given. `new`: the rows come in a new order. */
  row: 'kept' | 'new';
  /** The rows may come in any order, which the row column then restores. */
  scrambles?: boolean;
  /** It has no condition that could be asked of the rows before it: all that go in are looked at. */
  takesAll?: boolean;
  /**
   * For a plan whose rows are some of those that go in, as they were: a SELECT of their row column, in any order. It may be run before
   * and in the plan's stead, since it needs fewer columns.
   */
  choice?: (input: Input) => string;
  /** Name in the details of the rows that went. */
  droppedAs?: string;
  details?: Details;
}

/** Something that SQL can't: batches of rows go through a function; its answers are kept in parts, so that a killed job goes on. */
export interface BatchPlan {
  kind: 'batches';
  /** What the function is given, by name. */
  inputs: { name: string; sql: string }[];
  batchRows: number;
  /** Before the first batch of all, which is not asked for again when a job goes on. Throws what speaks against beginning. */
  begin?: (all: AllRows, services: Services) => Promise<void>;
  /** The answers to each row of the batch: none, one, or several, each a list of values in the order of `outputs`. */
  run: (rows: Row[], call: { operation: number; part: number }, services: Services) => Promise<AnswerValue[][][]>;
  outputs: { name: string; type: StoredType }[];
  /** Every answer makes a row. Otherwise each row has one at most, and stays without. */
  explode: boolean;
  /** Columns of the result, over the answers' columns as `a."name"`; asked for when all parts are there. */
  columns: (ask: (sql: string) => Promise<Row[]>, parts: string) => Promise<{ name: string; sql: string }[]>;
}

/** What all batches together will hold. */
export interface AllRows {
  rows: number;
  ask: (expression: string) => Promise<Row>;
  batches: () => AsyncIterable<Row[]>;
}

/** `VECTOR` is FLOAT[], all of one length. */
export type StoredType = 'VARCHAR' | 'INTEGER' | 'VECTOR';
export type AnswerValue = string | number | null | Float32Array;

/** Parts of one, one after the other. */
export interface SequencePlan {
  kind: 'sequence';
  steps: Plan[];
}

/** The last of its job: several outputs instead of one. */
export interface SplitPlan {
  kind: 'split';
  /** The name of each output and the condition for its rows. */
  outputs: { name: string; where: string }[];
}

export type Plan = MapPlan | FilterPlan | QueryPlan | BatchPlan | SplitPlan | SequencePlan;
export type Details = Record<string, Value>;

export interface Step {
  columns: readonly TypedColumn[];
  /** The place of the parameters, e.g. `operations[2].params`. */
  params: Params;
  /** A user's expression as SQL over `columns` (or others), checked. */
  expression(
    text: unknown,
    name: string,
    options?: { columns?: readonly TypedColumn[]; aggregates?: boolean },
  ): Promise<string>;
  /** The type that an expression has on `columns`. */
  typeOf(sql: string, name: string): Promise<string>;
  /** A constant's value, as text; what DuckDB says against it becomes an error that names the parameter. */
  evaluate(sql: string, name: string): Promise<string | null>;
  /** A value of a parameter as SQL of that type. */
  constant(value: Scalar, type: string, name: string): Promise<string>;
  /** The same for many values at once, each with the name of its parameter. */
  constants(values: readonly { value: Scalar; name: string }[], type: string): Promise<string[]>;
  /** The SQL name of a function from text to text. */
  textFunction(run: (text: string) => string | null): string;
  /** The columns of another dataset. */
  dataset(name: string): Promise<{ sql: string; columns: TypedColumn[] }>;
  /** The rows of a query on the data as they are before this step. Only of operations that say `asks`. */
  ask(sql: (input: Input) => string): Promise<Row[]>;
  /** A check that may not look at the rows: `ask` answers nothing. */
  blind: boolean;
  services: Services | null;
  /** Number of the operation in the job. */
  index: number;
}

export interface Definition {
  family: Operation['type'];
  /** The plan depends on what is in the data; a part is made before it when something was computed already. */
  asks?: (params: Params) => boolean;
  /** Which columns come out depends on what is in the data, so that a check ends there. */
  opens?: (params: Params) => boolean;
  /** As many rows as before, in the same order, each from its own. */
  rowByRow?: boolean;
  /** Reads and checks the parameters as far as that can be done without the schema. */
  read: (params: Params) => (step: Step) => Plan | Promise<Plan>;
}

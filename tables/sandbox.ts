// The sandbox: a user's SQL expression is parsed by DuckDB, its tree held against a list of what is allowed, and written anew from the
// tree.
//
// Nothing that a user wrote reaches a statement as text: DuckDB's own rendering of the checked tree does, and only after it was parsed
// again and gave the same tree. What may stand in it: columns of the step's schema, constants, casts to plain types, CASE, comparisons
// and the functions of `functions.ts`, none of which reads anything but its arguments. Functions that multiply the length of a text are
// bounded by what they could make together, because DuckDB's memory limit doesn't count single strings.
import type { DuckDBConnection } from '@duckdb/node-api';
import { TableError } from './errors.ts';
import { aggregateFunctions, scalarFunctions } from './functions.ts';
import { findColumn, literal, nearest, typeName } from './operations/sql.ts';
import type { TypedColumn } from './operations/sql.ts';

export interface Sandbox {
  /** What the expression may name. */
  columns: readonly TypedColumn[];
  /** Whether it may compute over many rows. */
  aggregates?: boolean;
  /** e.g. `operations[2].params.where` */
  place: string;
}

const mostCharacters = 10_000;
const mostBrackets = 60;
const mostDepth = 200;
/** How many times longer than what goes in a text may come out. */
const mostGrowth = 5000;
/** Counted for a replacement whose length isn't known before it runs. */
const unknownGrowth = 200;

/** The expression as SQL that is safe to embed, in parentheses. Throws TableError INVALID_EXPRESSION. */
export async function safeExpression(connection: DuckDBConnection, text: unknown, sandbox: Sandbox): Promise<string> {
  const refuse = refuser(sandbox.place);
  if (typeof text !== 'string' || text.trim() === '') throw refuse('must be an SQL expression');
  if (text.length > mostCharacters) throw refuse(`is longer than ${mostCharacters} characters`);
  if (text.includes('\0')) throw refuse('may not contain the character NUL');
  if (brackets(text) > mostBrackets) throw refuse(`has more than ${mostBrackets} brackets within each other`);
  const first = await parse(connection, `SELECT ${text.toWellFormed()}`, refuse);
  const growth = new Checker(sandbox, refuse).growth(first.expression, 0);
  if (growth > mostGrowth) throw refuse('could make texts too long');
  const again = await parse(connection, first.rendered, refuse);
  if (shape(again.expression) !== shape(first.expression)) throw refuse('is written in a way that cannot be checked');
  return `(${first.rendered.slice('SELECT '.length)})`;
}

type Refuse = (what: string, position?: number) => TableError;
type Node = Record<string, unknown>;

interface Parsed {
  expression: Node;
  rendered: string;
}

async function parse(connection: DuckDBConnection, sql: string, refuse: Refuse): Promise<Parsed> {
  let tree: Node;
  let rendered: string;
  try {
    const query = `SELECT t, CASE WHEN t->>'error' = 'false' THEN json_deserialize_sql(t) END
      FROM (SELECT json_serialize_sql(${literal(sql)}) AS t)`;
    const row = (await connection.runAndReadAll(query)).getRowsJson()[0] ?? [];
    tree = node(JSON.parse(String(row[0])));
    rendered = String(row[1]);
  } catch (error) {
    throw refuse(`can't be parsed: ${firstLine(error)}`);
  }
  if (tree['error'] !== false) {
    const position = Number(tree['position']);
    throw refuse(
      `can't be parsed: ${String(tree['error_message'])}`,
      Number.isInteger(position) ? position - 'SELECT '.length : undefined,
    );
  }
  const statements = nodes(tree['statements']);
  if (statements.length !== 1) throw refuse('must be one expression');
  const select = node(statements[0]?.['node']);
  const expressions = nodes(select['select_list']);
  const [expression] = expressions;
  if (!expression || expressions.length !== 1) throw refuse('must be one expression');
  // Whatever else a SELECT can have: all of it as it is in `SELECT 1`.
  const rest = JSON.stringify({ ...select, select_list: [], from_table: node(select['from_table'])['type'] });
  if (rest !== bareSelect || statements[0]?.['named_param_map'] === undefined) {
    throw refuse('must be an expression alone, without FROM or other parts of a query');
  }
  if (nodes(statements[0]['named_param_map']).length > 0) throw refuse('may not have parameters');
  if (expression['alias'] !== '') throw refuse('must be an expression alone, without a name');
  return { expression, rendered };
}

const bareSelect = JSON.stringify({
  type: 'SELECT_NODE',
  modifiers: [],
  cte_map: { map: [] },
  select_list: [],
  from_table: 'EMPTY',
  where_clause: null,
  group_expressions: [],
  group_sets: [],
  aggregate_handling: 'STANDARD_HANDLING',
  having: null,
  sample: null,
  qualify: null,
});

const plainOperators = new Set([
  'OPERATOR_NOT',
  'OPERATOR_IS_NULL',
  'OPERATOR_IS_NOT_NULL',
  'OPERATOR_COALESCE',
  'OPERATOR_NULLIF',
  'OPERATOR_TRY',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
  'ARRAY_EXTRACT',
  'ARRAY_SLICE',
  'STRUCT_EXTRACT',
]);
/** How many times longer a text may come out: a number, or the argument whose length or value tells. */
const growing = new Map<string, number | { lengthOf: number } | { valueOf: number }>([
  ['replace', { lengthOf: 2 }],
  ['regexp_replace', { lengthOf: 2 }],
  ['array_to_string', { lengthOf: 1 }],
  ['repeat', { valueOf: 1 }],
  ['lpad', { valueOf: 1 }],
  ['rpad', { valueOf: 1 }],
  ['hex', 2],
  ['to_hex', 2],
  ['bin', 8],
  ['to_binary', 8],
  ['base64', 2],
  ['to_base64', 2],
  ['url_encode', 3],
  ['regexp_escape', 2],
]);

class Checker {
  readonly #sandbox: Sandbox;
  readonly #refuse: Refuse;

  constructor(sandbox: Sandbox, refuse: Refuse) {
    this.#sandbox = sandbox;
    this.#refuse = refuse;
  }

  /** Checks the tree; answers how many times longer than its inputs a text that it makes may be. */
  growth(at: Node, depth: number, inAggregate = false): number {
    if (depth > mostDepth) throw this.#refuse('is nested too deeply');
    const position = positionOf(at);
    const all = (children: unknown): number =>
      nodes(children).reduce((sum, child) => sum + this.growth(child, depth + 1, inAggregate), 0);
    const child = (name: string): number => (at[name] ? this.growth(node(at[name]), depth + 1, inAggregate) : 0);
    switch (at['class']) {
      case 'CONSTANT':
        return 1;
      case 'COLUMN_REF':
        this.#column(at, position);
        return 1;
      case 'COMPARISON':
        return child('left') + child('right');
      case 'CONJUNCTION':
        return all(at['children']);
      case 'BETWEEN':
        return child('input') + child('lower') + child('upper');
      case 'CASE':
        return nodes(at['case_checks']).reduce(
          (sum, check) =>
            sum +
            this.growth(node(check['when_expr']), depth + 1, inAggregate) +
            this.growth(node(check['then_expr']), depth + 1, inAggregate),
          child('else_expr'),
        );
      case 'CAST':
        this.#type(node(at['cast_type']), position);
        // Lists and structs are written with their quotes escaped.
        return child('child') * (node(at['cast_type'])['id'] === 'VARCHAR' ? 2 : 1);
      case 'OPERATOR':
        if (!plainOperators.has(String(at['type']))) throw this.#refuse(`may not use ${String(at['type'])}`, position);
        return all(at['children']);
      case 'LAMBDA':
        // `column -> '$.path'` is parsed so; no function that takes a real lambda is allowed.
        if (node(at['expr'])['class'] !== 'CONSTANT') throw this.#refuse('may not use lambdas', position);
        return child('lhs');
      case 'FUNCTION':
        return this.#function(at, depth, inAggregate);
      default:
        throw this.#refuse(`may not use ${what[String(at['class'])] ?? String(at['class']).toLowerCase()}`, position);
    }
  }

  #column(at: Node, position: number | undefined): void {
    const [name = ''] = Array.isArray(at['column_names']) ? at['column_names'].map(String) : [];
    if (findColumn(this.#sandbox.columns, name)) return;
    const names = this.#sandbox.columns.map(column => column.name);
    const meant = nearest(name, names);
    throw this.#refuse(
      `names a column ${JSON.stringify(name)} that isn't there${meant === null ? '' : `; did you mean ${JSON.stringify(meant)}?`}`,
      position,
    );
  }

  #type(type: Node, position: number | undefined): void {
    const id = String(type['id']);
    const info = type['type_info'];
    if (id === 'LIST' || id === 'ARRAY') {
      const length = Number(node(info)['size'] ?? 1);
      if (length > 100_000) throw this.#refuse('names an array type that is too long', position);
      return this.#type(node(node(info)['child_type']), position);
    }
    const plain = id === 'DECIMAL' || typeName(id) !== null;
    // Names that aren't built in come with their name in the info.
    if (!plain || (info !== null && id !== 'DECIMAL'))
      throw this.#refuse(`may not cast to this type (${id})`, position);
  }

  #function(at: Node, depth: number, inAggregate: boolean): number {
    const position = positionOf(at);
    const name = String(at['function_name']).toLowerCase();
    const schema = String(at['schema']);
    const isAggregate = aggregateFunctions.has(name);
    if ((schema !== '' && schema !== 'main') || at['catalog'] !== '' || at['export_state'] !== false) {
      throw this.#refuse(`may not call ${name} of a schema`, position);
    }
    if (isAggregate && (this.#sandbox.aggregates !== true || inAggregate)) {
      throw this.#refuse(`may not use the aggregate ${name} here`, position);
    }
    if (!isAggregate && !scalarFunctions.has(name)) {
      const meant = nearest(name, [...scalarFunctions]);
      throw this.#refuse(`may not call ${name}${meant === null ? '' : `; did you mean ${meant}?`}`, position);
    }
    if (!isAggregate && (at['distinct'] === true || at['filter'] !== null)) {
      throw this.#refuse(`has DISTINCT or FILTER on ${name}, which isn't an aggregate`, position);
    }
    if (nodes(node(at['order_bys'])['orders']).length > 0) throw this.#refuse('may not use ORDER BY', position);
    const children = nodes(at['children']);
    const sizes = children.map(child => this.growth(child, depth + 1, inAggregate || isAggregate));
    if (at['filter'] !== null) this.growth(node(at['filter']), depth + 1, true);
    const sum = sizes.reduce((total, size) => total + size, 0);
    const factor = growing.get(name) ?? 1;
    if (typeof factor === 'number') return sum * factor;
    const argument = children['lengthOf' in factor ? factor.lengthOf : factor.valueOf];
    const value = argument?.['class'] === 'CONSTANT' ? node(argument['value'])['value'] : undefined;
    if ('lengthOf' in factor) return sum * Math.max(1, typeof value === 'string' ? value.length : unknownGrowth);
    if (typeof value !== 'number') throw this.#refuse(`must give ${name} a constant length`, position);
    return sum * Math.max(1, value);
  }
}

const what: Record<string, string> = {
  SUBQUERY: 'subqueries',
  WINDOW: 'window functions',
  STAR: '* or COLUMNS',
  PARAMETER: 'parameters',
  COLLATE: 'collations',
  DEFAULT: 'DEFAULT',
};

function refuser(place: string): Refuse {
  return (reason, position) => {
    const where = position === undefined || position < 0 ? '' : ` (at character ${position + 1})`;
    return new TableError('INVALID_EXPRESSION', `${place} ${reason}${where}`, place);
  };
}

function positionOf(at: Node): number | undefined {
  const position = Number(at['query_location']);
  // DuckDB writes "unknown" as 2^64 - 1.
  return position < mostCharacters * 4 ? position - 'SELECT '.length : undefined;
}

/** The tree without the places in the text. */
function shape(tree: Node): string {
  return JSON.stringify(tree, (key, value: unknown) => (key === 'query_location' ? undefined : value));
}

/** How deep brackets stand in each other, at most; those in quotes count too, which errs on the safe side. */
function brackets(text: string): number {
  let depth = 0;
  let most = 0;
  for (const character of text) {
    if ('([{'.includes(character)) most = Math.max(most, ++depth);
    else if (')]}'.includes(character)) depth--;
  }
  return most;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function node(value: unknown): Node {
  if (!isNode(value)) throw new Error('DuckDB gave a syntax tree of another form than it did');
  return value;
}

function nodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.map(node) : [];
}

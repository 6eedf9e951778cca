// better-auth's storage on the database port, over PGlite and PostgreSQL alike. Tables and columns come with their own names from the
// options in auth.ts.
//
// Tokens of sessions are kept as hashes: the adapter hashes what is stored and what is looked for, and gives the token back to whom knows it.
import { type CleanedWhere, createAdapterFactory } from 'better-auth/adapters';
import type { Database, Row } from '../database/index.ts';
import { hashToken } from './tokens.ts';

const sessions = 'sessions';

/** `sessionsChanged` is called when a session has ended or changed. */
export function createAuthAdapter(database: Pick<Database, 'query'>, sessionsChanged: () => Promise<void>) {
  async function changed(model: string, rows: number): Promise<number> {
    if (model === sessions && rows > 0) await sessionsChanged();
    return rows;
  }

  return createAdapterFactory({
    config: { adapterId: 'vectorium', supportsNumericIds: false, supportsJSON: true, transaction: false },
    adapter: ({ getFieldName }) => ({
      async create<T extends Record<string, unknown>>({ model, data }: { model: string; data: T }) {
        const columns = Object.entries(data);
        const values = columns.map(([column, value]) => stored(model, column, value));
        const [row] = await database.query<T>(
          `INSERT INTO ${quoted(model)} (${columns.map(([column]) => quoted(column)).join(', ')})
           VALUES (${values.map((_, index) => `$${index + 1}`).join(', ')}) RETURNING *`,
          values,
        );
        if (!row) throw new Error('The database gave no row back');
        return withToken(model, row, data['token']);
      },

      async findOne<T>({ model, where }: { model: string; where: CleanedWhere[] }) {
        const { sql, values } = conditions(model, where);
        const [row] = await database.query<Row>(`SELECT * FROM ${quoted(model)} ${sql} LIMIT 1`, values);
        return row ? (withToken(model, row, tokenIn(where)) as T) : null;
      },

      async findMany<T>({ model, where = [], limit, sortBy, offset = 0 }: FindMany) {
        const { sql, values } = conditions(model, where);
        const order = sortBy
          ? `ORDER BY ${quoted(getFieldName({ model, field: sortBy.field }))} ${sortBy.direction === 'desc' ? 'DESC' : 'ASC'}`
          : '';
        const page = `LIMIT $${values.length + 1} OFFSET $${values.length + 2}`;
        return database.query<T>(`SELECT * FROM ${quoted(model)} ${sql} ${order} ${page}`, [...values, limit, offset]);
      },

      async update<T>({ model, where, update }: { model: string; where: CleanedWhere[]; update: T }) {
        const [row] = await updated(model, where, update as Row);
        await changed(model, row ? 1 : 0);
        return row ? (withToken(model, row, tokenIn(where)) as T) : null;
      },

      async updateMany({ model, where, update }: { model: string; where: CleanedWhere[]; update: Row }) {
        return changed(model, (await updated(model, where, update)).length);
      },

      async delete({ model, where }: { model: string; where: CleanedWhere[] }) {
        await changed(model, (await deleted(model, where)).length);
      },

      async deleteMany({ model, where }: { model: string; where: CleanedWhere[] }) {
        return changed(model, (await deleted(model, where)).length);
      },

      async consumeOne<T>({ model, where }: { model: string; where: CleanedWhere[] }) {
        const { sql, values } = conditions(model, where);
        const [row] = await database.query<Row>(
          `DELETE FROM ${quoted(model)} WHERE id = (SELECT id FROM ${quoted(model)} ${sql} LIMIT 1 FOR UPDATE) RETURNING *`,
          values,
        );
        await changed(model, row ? 1 : 0);
        return (row as T | undefined) ?? null;
      },

      async count({ model, where = [] }: { model: string; where?: CleanedWhere[] | undefined }) {
        const { sql, values } = conditions(model, where);
        const [row] = await database.query(`SELECT count(*)::integer AS count FROM ${quoted(model)} ${sql}`, values);
        return Number(row?.['count'] ?? 0);
      },
    }),
  });

  async function updated(model: string, where: CleanedWhere[], update: Row): Promise<Row[]> {
    const columns = Object.entries(update);
    const given = columns.map(([column, value]) => stored(model, column, value));
    const { sql, values } = conditions(model, where, given.length);
    const assignments = columns.map(([column], index) => `${quoted(column)} = $${index + 1}`).join(', ');
    return database.query(`UPDATE ${quoted(model)} SET ${assignments} ${sql} RETURNING *`, [...given, ...values]);
  }

  async function deleted(model: string, where: CleanedWhere[]): Promise<Row[]> {
    const { sql, values } = conditions(model, where);
    return database.query(`DELETE FROM ${quoted(model)} ${sql} RETURNING id`, values);
  }
}

interface FindMany {
  model: string;
  where?: CleanedWhere[] | undefined;
  limit: number;
  sortBy?: { field: string; direction: 'asc' | 'desc' } | undefined;
  offset?: number | undefined;
}

/** What is kept of a token that is random enough not to be guessed. */
function stored(model: string, column: string, value: unknown): unknown {
  return model === sessions && column === 'token' && typeof value === 'string' ? hashToken(value) : value;
}

function withToken<T extends Record<string, unknown>>(model: string, row: T, token: unknown): T {
  return model === sessions && typeof token === 'string' ? { ...row, token } : row;
}

function tokenIn(where: CleanedWhere[]): unknown {
  return where.find(({ field, operator }) => field === 'token' && operator === 'eq')?.value;
}

const comparisons = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

/** As `WHERE …`, with the values from `$(before + 1)` on. Conditions joined by OR stand in one group beside those joined by AND. */
function conditions(model: string, where: CleanedWhere[], before = 0): { sql: string; values: unknown[] } {
  const values: unknown[] = [];
  const place = (value: unknown): string => `$${before + values.push(value)}`;
  const one = ({ field, operator = 'eq', value, mode }: CleanedWhere): string => {
    if (mode === 'insensitive') throw new Error('Conditions that ignore case are not supported');
    const column = quoted(field);
    if (operator === 'in' || operator === 'not_in') {
      const list = Array.isArray(value) ? value : [value];
      if (list.length === 0) return operator === 'in' ? 'false' : 'true';
      const places = list.map(each => place(stored(model, field, each))).join(', ');
      return `${column} ${operator === 'in' ? 'IN' : 'NOT IN'} (${places})`;
    }
    if (operator === 'contains' || operator === 'starts_with' || operator === 'ends_with')
      throw new Error(`The condition ${operator} is not supported`);
    if (value === null) return `${column} IS ${operator === 'ne' ? 'NOT ' : ''}NULL`;
    return `${column} ${comparisons[operator]} ${place(stored(model, field, value))}`;
  };
  const all = where.filter(({ connector }) => connector !== 'OR').map(one);
  const any = where.filter(({ connector }) => connector === 'OR').map(one);
  if (any.length > 0) all.push(`(${any.join(' OR ')})`);
  return { sql: all.length > 0 ? `WHERE ${all.join(' AND ')}` : '', values };
}

function quoted(name: string): string {
  if (!/^[a-z_]+$/.test(name)) throw new Error(`${name} is no name of a table or column`);
  return `"${name}"`;
}

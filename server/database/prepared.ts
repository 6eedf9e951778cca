// Runs statements on PGlite as prepared ones, several in one round trip. Planning the settle statement costs three times as much as
// running it, and one Sync at the end makes a transaction of a row of statements without BEGIN and COMMIT.
import { protocol } from '@electric-sql/pglite';
import type { PGlite } from '@electric-sql/pglite';
import { parserOf } from './port.ts';
import type { Row, Statement } from './port.ts';

const { serialize, messages } = protocol;

interface Prepared {
  name: string;
  columns: { name: string; parse: (text: string) => unknown }[];
}

/** A program has a fixed number of statements; if it makes them up, the old ones go. */
const mostPrepared = 500;

/** Gives a function that runs statements in one transaction. Only one call may be under way. */
export function createPreparedRunner(pglite: PGlite): (statements: Statement[]) => Promise<Row[][]> {
  const known = new Map<string, Prepared>();

  async function prepare(sql: string): Promise<Prepared> {
    const ready = known.get(sql);
    if (ready) return ready;
    if (known.size >= mostPrepared) {
      known.clear();
      await pglite.exec('DEALLOCATE ALL');
    }
    const name = `s${known.size}`;
    const described = await send(pglite, [
      serialize.parse({ name, text: sql }),
      serialize.describe({ type: 'S', name }),
      serialize.sync(),
    ]);
    const columns = described
      .filter(message => message instanceof messages.RowDescriptionMessage)
      .flatMap(({ fields }) => fields.map(field => ({ name: field.name, parse: parserOf(field.dataTypeID) })));
    const prepared = { name, columns };
    known.set(sql, prepared);
    return prepared;
  }

  return async statements => {
    const prepared: Prepared[] = [];
    for (const { sql } of statements) prepared.push(await prepare(sql));
    const parts = statements.flatMap(({ values = [] }, index) => [
      serialize.bind({ statement: prepared[index]?.name ?? '', values: values.map(asText) }),
      serialize.execute({}),
    ]);
    const rows: Row[][] = [[]];
    for (const message of await send(pglite, [...parts, serialize.sync()])) {
      if (message instanceof messages.DataRowMessage) {
        rows.at(-1)?.push(rowFrom(message.fields, prepared[rows.length - 1]));
      } else if (message instanceof messages.CommandCompleteMessage || message.name === 'emptyQuery') {
        rows.push([]);
      }
    }
    return rows.slice(0, statements.length);
  };
}

async function send(pglite: PGlite, parts: Uint8Array[]) {
  return (await pglite.execProtocol(Buffer.concat(parts), { throwOnError: true })).messages;
}

function rowFrom(fields: (string | null)[], prepared: Prepared | undefined): Row {
  const row: Row = {};
  prepared?.columns.forEach(({ name, parse }, index) => {
    const text = fields[index];
    row[name] = text === null || text === undefined ? null : parse(text);
  });
  return row;
}

/** As PostgreSQL reads it: it knows the parameter's type from the statement. */
export function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  throw new TypeError('Lists and objects go to the database as one JSON text');
}

// The database port over a PostgreSQL server, through a pool of connections.
import { createHash } from 'node:crypto';
import { DatabaseError as PostgresqlError, Pool, types } from 'pg';
import type { CustomTypesConfig, PoolClient, QueryConfig } from 'pg';
import { createAnnouncements } from './announcements.ts';
import { writeDump } from './dump.ts';
import { channel, listen, type Listening } from './listen.ts';
import { DatabaseError, parserOf } from './port.ts';
import type { Database, Row, Statement } from './port.ts';
import { errorFields } from './calls.ts';

const parsers: CustomTypesConfig = {
  getTypeParser: (type: number, format?: 'text' | 'binary') =>
    format === 'binary' ? types.getTypeParser(type, 'binary') : parserOf(type),
};

type Log = (event: string, fields: object) => void;

/** Opens a pool at a `postgres://` address. Throws when no server answers there. */
export async function openPostgresql({ url, log }: { url: string; log: Log }): Promise<Database> {
  const pool = new Pool({ connectionString: url, types: parsers, max: 10, connectionTimeoutMillis: 10_000 });
  // Without a listener, a connection that breaks while nobody uses it would end the process.
  pool.on('error', error => log('database.connection_lost', { message: error.message }));
  const announcements = createAnnouncements();
  let listening: Listening | undefined;
  const database: Database = {
    kind: 'postgresql',
    async query<T>(sql: string, values?: unknown[]) {
      return (await again(() => guarded(pool.query(prepared({ sql, values }))))).rows as T[];
    },
    transaction: statements => again(() => inTransaction(pool, 'BEGIN', client => runAll(client, statements))),
    async post(statements) {
      await database.transaction(statements);
    },
    async script(sql) {
      await guarded(pool.query(sql));
    },
    async announce(topic) {
      announcements.dispatch(topic);
      await guarded(pool.query('SELECT pg_notify($1, $2)', [channel, topic]));
    },
    onAnnouncement(topic, listener) {
      announcements.on(topic, listener);
      // Commands that end in a moment listen to nothing, and need no second connection.
      listening ??= listen(url, announcements, log);
    },
    async dump(target) {
      await inTransaction(pool, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', client =>
        writeDump({ query: async (sql, values) => (await client.query<Row>(sql, values)).rows }, target),
      );
    },
    async close() {
      await listening?.close();
      await pool.end();
    },
  };
  try {
    await database.query('SELECT 1');
  } catch (error) {
    await pool.end();
    throw error;
  }
  return database;
}

/** A transaction that was chosen to break a deadlock was undone whole: it may be run again. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseError) || !['40P01', '40001'].includes(error.code) || attempt === 5) throw error;
    }
  }
}

/** The statement that was under way is rejected anyway. */
function ignore(): void {}

async function inTransaction<T>(pool: Pool, begin: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await guarded(pool.connect());
  // The pool listens to idle connections only: without a listener, losing this one would end the process.
  client.on('error', ignore);
  let broken = true;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    broken = false;
    return result;
  } catch (error) {
    broken = await client.query('ROLLBACK').then(
      () => false,
      () => true,
    );
    throw asDatabaseError(error);
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

async function runAll(client: PoolClient, statements: Statement[]): Promise<Row[][]> {
  const rows: Row[][] = [];
  for (const statement of statements) rows.push((await client.query<Row>(prepared(statement))).rows);
  return rows;
}

/** Planned once a connection: a name that follows from the text lets the driver know it again. */
function prepared({ sql, values }: { sql: string; values?: unknown[] | undefined }): QueryConfig {
  const name = createHash('sha256').update(sql).digest('base64url').slice(0, 32);
  return values ? { name, text: sql, values } : { name, text: sql };
}

async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asDatabaseError(error);
  }
}

/** What is not PostgreSQL's own refusal (five letters) is trouble with the connection. */
function asDatabaseError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error instanceof PostgresqlError) return new DatabaseError(error.message, errorFields(error));
  const fields = errorFields(error);
  if (fields.code.startsWith('E') || /connection|timeout/i.test(error.message)) {
    return new DatabaseError(error.message || fields.code, { code: 'CONNECTION_LOST' });
  }
  return error;
}

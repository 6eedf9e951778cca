// Matches replies to requests, for the thread's channel and the socket's alike, and makes a Database out of that.
import { createAnnouncements } from './announcements.ts';
import { DatabaseError } from './port.ts';
import type { Database, Row, Statement } from './port.ts';
import { type Call, type Numbered, plain, type Reply, type Request } from './protocol.ts';

interface Waiting {
  resolve: (rows: Row[][]) => void;
  reject: (error: Error) => void;
}

export interface Calls {
  call: Call;
  receive(reply: Reply): void;
  /** Rejects everything that waits and everything that comes. */
  fail(message: string): void;
  /** Resolves when the other side has opened its database. */
  opened: Promise<Row[][]>;
}

export function createCalls(send: (message: Numbered) => void): Calls {
  const waiting = new Map<number, Waiting>();
  const opened = new Promise<Row[][]>((resolve, reject) => waiting.set(0, { resolve, reject }));
  let lastId = 0;
  let lost: DatabaseError | undefined;
  return {
    opened,
    call(request: Request) {
      if (lost) return Promise.reject(lost);
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        send({ id, request });
      });
    },
    receive(reply) {
      const caller = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('error' in reply) caller?.reject(new DatabaseError(reply.error.message, reply.error));
      else caller?.resolve(reply.rows);
    },
    fail(message) {
      lost ??= new DatabaseError(message, { code: 'CONNECTION_LOST' });
      for (const { reject } of waiting.values()) reject(lost);
      waiting.clear();
    },
  };
}

/** `post` is what the journal does where there is one; elsewhere a transaction. */
export function databaseOver(
  call: Call,
  { close, post }: { close: () => Promise<void>; post?: (statements: Statement[]) => void },
): Database {
  // One process owns the database; commands that join it are few, and what they change is read again within seconds.
  const announcements = createAnnouncements();
  const transaction = (statements: Statement[]) => call({ kind: 'transaction', statements: statements.map(plain) });
  return {
    kind: 'pglite',
    async query<T>(sql: string, values?: unknown[]) {
      const [rows] = await call({ kind: 'transaction', statements: [values ? { sql, values } : { sql }] });
      return (rows ?? []) as T[];
    },
    transaction,
    async post(statements) {
      if (post) post(statements);
      else await transaction(statements);
    },
    async script(sql) {
      await call({ kind: 'script', sql });
    },
    async announce(topic) {
      announcements.dispatch(topic);
    },
    onAnnouncement: announcements.on,
    async dump(target) {
      await call({ kind: 'dump', target });
    },
    close,
  };
}

export function errorFields(error: unknown): { message: string; code: string; constraint?: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: 'UNKNOWN' };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return {
    message: error.message,
    code: typeof code === 'string' ? code : 'UNKNOWN',
    constraint: typeof constraint === 'string' ? constraint : undefined,
  };
}

// Group commit: what many requests have to write goes into one transaction, and each waits only for the one that carries its row.
//
// A transaction costs about the same for one row as for sixty. While one is under way, rows gather for the next; so a lone caller
// waits for one transaction, and many callers share them. When more callers are known to be on their way (`expected`), a
// transaction isn't started more often than every `gatherMs`, which leaves the processor to the models.
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from './port.ts';
import type { Database, Statement } from './port.ts';

export interface Writer<Row> {
  /** Resolves when the row is committed. */
  write(row: Row): Promise<void>;
  /** Goes with the next transaction; nobody waits. */
  writeLater(row: Row): void;
}

export interface GroupCommit {
  /**
   * `statement` writes a list of rows at once. It must be idempotent: after a lost connection nobody knows whether the
   * transaction was committed, so it is run again. `failed` is called when the transaction of the last `statement` is given up.
   */
  writer<Row>(statement: (rows: Row[]) => Statement, failed?: () => void): Writer<Row>;
  /** One more caller will write soon; call the returned function when it has written or won't. */
  expect(): () => void;
  /** Commits what is waiting. */
  flush(): Promise<void>;
  /** Commits what is waiting and takes nothing more. */
  close(): Promise<void>;
}

export interface GroupCommitOptions {
  gatherMs?: number;
  /** How long a row of writeLater may wait for company. */
  laterMs?: number;
  log?: (event: string, fields: object) => void;
}

const tries = 5;
/** The connection, or the server behind it, went away: nobody knows whether the transaction was committed. */
const worthRepeating = new Set(['CONNECTION_LOST', '57P01']);

interface Pending {
  statement: (rows: unknown[]) => Statement;
  failed: () => void;
  rows: unknown[];
}

export function createGroupCommit(
  database: Database,
  { gatherMs = 10, laterMs = 20, log = () => {} }: GroupCommitOptions = {},
): GroupCommit {
  const writers: Pending[] = [];
  let waiting: PromiseWithResolvers<void>[] = [];
  let expected = 0;
  let lastStart = -Infinity;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Infinity;
  let closed = false;

  function schedule(inMs: number): void {
    if (running) return; // the end of the running transaction schedules the next
    const at = performance.now() + inMs;
    if (at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = inMs > 0 ? setTimeout(start, inMs) : undefined;
    // Not at once: rows that are written in the same turn of the event loop share the transaction.
    if (!timer) setImmediate(start);
  }

  function start(): void {
    if (running) return;
    clearTimeout(timer);
    timerAt = Infinity;
    const carriers = writers.filter(writer => writer.rows.length > 0);
    if (carriers.length === 0) return;
    const statements = carriers.map(writer => writer.statement(writer.rows));
    for (const writer of carriers) writer.rows = [];
    const carried = waiting;
    waiting = [];
    lastStart = performance.now();
    running = carry(statements, { carried, carriers });
  }

  async function carry(
    statements: Statement[],
    { carried, carriers }: { carried: PromiseWithResolvers<void>[]; carriers: Pending[] },
  ): Promise<void> {
    try {
      await commit(statements);
      for (const { resolve } of carried) resolve();
    } catch (error) {
      log('database.commit_failed', { message: error instanceof Error ? error.message : String(error) });
      for (const { failed } of carriers) failed();
      for (const { reject } of carried) reject(error);
    }
    running = undefined;
    if (waiting.length > 0) schedule(pause());
    else if (!isEmpty()) schedule(laterMs);
  }

  function pause(): number {
    return expected > 0 ? Math.max(0, lastStart + gatherMs - performance.now()) : 0;
  }

  async function commit(statements: Statement[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await database.post(statements);
        return;
      } catch (error) {
        const again = error instanceof DatabaseError && worthRepeating.has(error.code) && attempt < tries;
        if (!again || database.kind === 'pglite') throw error;
        await sleep(50 * 2 ** attempt);
      }
    }
  }

  const isEmpty = (): boolean => writers.every(({ rows }) => rows.length === 0);

  /** What was there before the call is committed after it; what comes meanwhile is not waited for. */
  async function flush(): Promise<void> {
    await running;
    start();
    await running;
  }

  return {
    writer<Row>(statement: (rows: Row[]) => Statement, failed = () => {}) {
      const pending: Pending = { statement: statement as Pending['statement'], failed, rows: [] };
      writers.push(pending);
      return {
        write(row) {
          if (closed) return Promise.reject(new DatabaseError('The server is stopping', { code: 'CONNECTION_LOST' }));
          const waiter = Promise.withResolvers<void>();
          pending.rows.push(row);
          waiting.push(waiter);
          schedule(pause());
          return waiter.promise;
        },
        writeLater(row) {
          if (closed) return;
          pending.rows.push(row);
          schedule(laterMs);
        },
      };
    },
    expect() {
      expected += 1;
      let counted = true;
      return () => {
        if (!counted) return;
        counted = false;
        expected -= 1;
        // Whoever waited for this caller's company may go.
        if (waiting.length > 0) schedule(pause());
      };
    },
    flush,
    async close() {
      closed = true;
      // Twice: what a transaction under way leaves behind, and what came while it ran.
      await flush();
      await flush();
    },
  };
}

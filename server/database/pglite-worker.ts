// The thread that holds PGlite: it computes on the thread that calls it, so it may not live on the event loop.
//
// PGlite is PostgreSQL in its single-user mode, which has no background processes. Two of their jobs are done here: a checkpoint
// when the log has grown (or it would grow for ever and make the next start slow); vacuuming is left to those who delete.
import { PGlite } from '@electric-sql/pglite';
import { parentPort, workerData } from 'node:worker_threads';
import { errorFields } from './calls.ts';
import { writeDump } from './dump.ts';
import { createPreparedRunner } from './prepared.ts';
import type { Row } from './port.ts';
import type { Numbered, Reply, Request } from './protocol.ts';

const checkpointAfterBytes = 32 * 1024 * 1024;
const checkpointEveryMs = 15_000;

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread');
const { folder } = workerData as { folder: string };

/** The default of 128 MB of buffers is touched page by page and stays resident; the tables in use are a few megabytes. */
const settings = ['shared_buffers = 16MB'];

const opening = PGlite.create(folder, { postgresqlconf: settings });
const prepared = opening.then(createPreparedRunner);
/** One request after the other: a transaction must not meet another's statements. */
let last: Promise<unknown> = opening;

const timer = setInterval(() => void inTurn(checkpoint), checkpointEveryMs);
timer.unref();

port.on('message', ({ id, request }: Numbered) => {
  inTurn(() => run(request)).then(
    rows => reply({ id, rows }),
    (error: unknown) => reply({ id, error: errorFields(error) }),
  );
});
opening.then(
  () => reply({ id: 0, rows: [] }),
  (error: unknown) => reply({ id: 0, error: errorFields(error) }),
);

function reply(message: Reply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is about windows of a browser
  port?.postMessage(message);
}

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work, work);
  last = turn;
  return turn;
}

async function run(request: Request): Promise<Row[][]> {
  const pglite = await opening;
  switch (request.kind) {
    case 'transaction':
      return (await prepared)(request.statements);
    case 'script':
      await pglite.exec(request.sql);
      return [];
    case 'dump':
      await pglite.transaction(tx =>
        writeDump({ query: async (sql, values) => (await tx.query<Row>(sql, values)).rows }, request.target),
      );
      return [];
    case 'close':
      clearInterval(timer);
      await pglite.close();
      return [];
  }
}

async function checkpoint(): Promise<void> {
  const pglite = await opening;
  const { rows } = await pglite.query<{ bytes: string }>(
    'SELECT pg_current_wal_lsn() - redo_lsn AS bytes FROM pg_control_checkpoint()',
  );
  if (Number(rows[0]?.bytes) > checkpointAfterBytes) await pglite.exec('CHECKPOINT');
}

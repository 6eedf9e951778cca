// The journal before the embedded database: what is acknowledged already and goes into the database a moment later.
//
// A charge keeps PGlite busy for a millisecond or two, on a core that the next request's model wants. Appending it to a file takes some
// microseconds and survives `kill -9` just as PGlite's own files do: both are safe once the operating system has them.
// 1. A posted statement is in the file when `post` returns.
// 2. Whoever asks the database anything comes after all that was posted before.
// 3. A file holds one batch, and is removed when the batch is committed. Files of a process that was killed are run, in their order,
//    when the database is opened. So a batch may run twice: posted statements must be idempotent.
// 4. Statements of a batch that can be merged are run as one; a batch that is refused, each for itself.
// 5. A statement that the database refuses is logged and kept in `refused.jsonl`; it holds up nothing and nobody.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from './port.ts';
import { asText } from './prepared.ts';
import type { Statement } from './port.ts';
import { type Call, plain } from './protocol.ts';

/** How long a posted statement waits for company at most. */
const applyWithinMs = 500;
/** A reader may have to wait for a batch. */
const mostStatements = 256;

export interface Journaled {
  /** As the call given, after what was posted. */
  call: Call;
  /** Durable when it returns. Throws when the file can't be written, then nothing is posted. */
  post(statements: Statement[]): void;
}

interface Batch {
  path: string;
  file: number;
  bytes: number;
  statements: Statement[];
}

/** Runs what an earlier process has left in `folder`, and keeps a journal there. */
export async function openJournal(
  folder: string,
  { call, log }: { call: Call; log: (event: string, fields: object) => void },
): Promise<Journaled> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const left = (await readdir(folder)).filter(name => /^\d+\.jsonl$/.test(name)).toSorted();
  for (const name of left) await apply(join(folder, name), parse(await readFile(join(folder, name), 'utf8')));

  let number = Number.parseInt(left.at(-1) ?? '0', 10);
  let batch: Batch | null = null;
  let timer: NodeJS.Timeout | undefined;

  function begin(): Batch {
    const path = join(folder, `${String(++number).padStart(12, '0')}.jsonl`);
    return { path, file: openSync(path, 'ax', 0o600), bytes: 0, statements: [] };
  }

  function end(): void {
    clearTimeout(timer);
    if (!batch) return;
    const { path, file, statements } = batch;
    batch = null;
    closeSync(file);
    apply(path, statements).catch((error: unknown) => {
      // The file stays, and is run at the next opening.
      log('database.journal_failed', { message: error instanceof Error ? error.message : String(error) });
    });
  }

  async function apply(path: string, statements: Statement[]): Promise<void> {
    try {
      await call({ kind: 'transaction', statements: merged(statements) });
    } catch (error) {
      if (isLost(error)) return; // the file is run when the database is opened again
      for (const statement of statements) {
        try {
          await call({ kind: 'transaction', statements: [plain(statement)] });
        } catch (refusal) {
          if (isLost(refusal)) return;
          log('database.refused', { message: refusal instanceof Error ? refusal.message : String(refusal) });
          await appendFile(join(folder, 'refused.jsonl'), line(statement), { mode: 0o600 });
        }
      }
    }
    await rm(path, { force: true });
  }

  return {
    call(request) {
      end();
      return call(request);
    },
    post(statements) {
      batch ??= begin();
      const lines = Buffer.from(statements.map(line).join(''));
      try {
        for (let at = 0; at < lines.length;) at += writeSync(batch.file, lines, at);
      } catch (error) {
        // Half a line would spoil the next one.
        ftruncateSync(batch.file, batch.bytes);
        throw error;
      }
      batch.bytes += lines.length;
      batch.statements.push(...statements);
      if (batch.statements.length >= mostStatements) end();
      else if (batch.statements.length === statements.length) timer = setTimeout(end, applyWithinMs);
    },
  };
}

/** Fewer statements that do the same. Those of different SQL don't depend on each other's order. */
function merged(statements: readonly Statement[]): Statement[] {
  const bySql = new Map<string, number>();
  const fewer: Statement[] = [];
  for (const statement of statements) {
    const place = bySql.get(statement.sql);
    const both = place === undefined ? undefined : fewer[place]?.merge?.(statement);
    if (place !== undefined && both) fewer[place] = both;
    else {
      bySql.set(statement.sql, fewer.length);
      fewer.push(statement);
    }
  }
  return fewer.map(plain);
}

function isLost(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === 'CONNECTION_LOST';
}

function line({ sql, values = [] }: Statement): string {
  return `${JSON.stringify([sql, ...values.map(asText)])}\n`;
}

/** A last line that was cut off was never acknowledged. */
function parse(text: string): Statement[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map(each => JSON.parse(each) as [string, ...(string | null)[]])
    .map(([sql, ...values]) => ({ sql, values }));
}

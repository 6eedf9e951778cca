// The ceiling: ONNX Runtime alone, on tokens made beforehand, in batches of texts of like length, in a process of its own.
//
// No server can have more texts in a batch than its callers have open, so with C callers and S sessions a batch has at most
// ceil(C / S) texts; within that the best budget of tokens is searched. All texts are known from the start and sorted by
// length, nothing waits, and nothing but the session is in the measured time.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { stopWithBench } from './processes.ts';
import type { Layout, Sessions as SessionsClass } from './sessions.ts';

export type { Layout };

export interface Work extends Batching {
  ids: Int32Array[];
}
interface Batching {
  maxBatchTexts: number;
  maxBatchTokens: number;
}
interface Result {
  seconds: number;
  /** Of each run of a session. */
  runMs: number[];
  /** Of each text in the order of `ids`, if wanted. */
  vectors: Float32Array[];
}

export interface BareSession {
  pid: number;
  layout: Layout;
  /** One at a time. It is stopped when the bench ends. */
  run(work: Work): Promise<Result>;
}

export async function startBareSession(graphPath: string, layout: Layout): Promise<BareSession> {
  const child = fork(new URL(import.meta.url), [graphPath, JSON.stringify(layout)], { serialization: 'advanced' });
  stopWithBench(child);
  const ended = once(child, 'exit').then(() => {
    throw new Error('the bare session ended');
  });
  ended.catch(() => {});
  const answer = async <T>() => ((await Promise.race([once(child, 'message'), ended])) as [T])[0];
  await answer();
  return {
    pid: child.pid ?? 0,
    layout,
    run(work) {
      child.send(work);
      return answer();
    },
  };
}

/** Batches of neighbours in length, longest first so that the sessions end together; `order` tells which text is where. */
export function formBatches(ids: readonly Int32Array[], { maxBatchTexts, maxBatchTokens }: Batching): number[][] {
  const length = (index: number) => ids[index]?.length ?? 0;
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of ids.map((_, each) => each).toSorted((a, b) => length(b) - length(a))) {
    const first = batch[0] ?? index;
    if (batch.length === maxBatchTexts || (batch.length > 0 && (batch.length + 1) * length(first) > maxBatchTokens)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

async function serve(sessions: SessionsClass): Promise<void> {
  process.on('message', async (work: Work) => {
    const batches = formBatches(work.ids, work);
    const rows = batches.map(batch => batch.flatMap(index => work.ids[index] ?? []));
    const started = performance.now();
    const answers = await sessions.run(rows);
    const seconds = (performance.now() - started) / 1000;
    const vectors: Float32Array[] = Array.from({ length: work.ids.length });
    for (const [number, { values }] of answers.entries()) {
      const batch = batches[number] ?? [];
      const dimension = values.length / batch.length;
      for (const [row, index] of batch.entries()) vectors[index] = values.slice(row * dimension, (row + 1) * dimension);
    }
    process.send?.({ seconds, runMs: answers.map(answer => answer.runMs), vectors } satisfies Result);
  });
  process.send?.('ready');
}

if (process.send && import.meta.main) {
  const { Sessions } = await import('./sessions.ts');
  const [graphPath = '', layout = ''] = process.argv.slice(2);
  await serve(await Sessions.start(graphPath, JSON.parse(layout) as Layout));
}

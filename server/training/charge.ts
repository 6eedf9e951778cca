// What training costs: seconds, paid in slices of a minute.
//
// How long a training takes nobody knows before, so the money for a minute is reserved before that minute and settled after it. A balance
// that doesn't cover the next minute ends the training. A slice has an id that follows from the job and its number, so none is charged
// twice; the one that was under way when the process was killed is not charged at all.
import { setTimeout as sleep } from 'node:timers/promises';
import { derivedId } from '../database/index.ts';
import type { RunningJob } from '../jobs/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Ledger } from '../usage/index.ts';
import { reserve } from '../vectors/index.ts';

interface Checkpoint {
  slices: number;
}

export interface Metered {
  ledger: Ledger;
  caller: Caller;
  job: RunningJob;
  modelId: string;
  route: string;
  sliceSeconds?: number;
}

/** Runs `work` as long as it is paid for. `alive` in it makes durable that the job got on. */
export async function metered<Result>(
  { ledger, caller, job, modelId, route, sliceSeconds = 60 }: Metered,
  work: (signal: AbortSignal, alive: () => void) => Promise<Result>,
): Promise<Result> {
  const price = caller.account.plan.trainingSecondPicodollars;
  const before = job.resumeFrom as Checkpoint | null;
  let slices = before?.slices ?? 0;
  const reserveSlice = () => reserve(ledger, caller, price * BigInt(sliceSeconds));
  let reservation = await reserveSlice();
  let startedAt = performance.now();

  async function settle(): Promise<void> {
    const durationMs = performance.now() - startedAt;
    const seconds = Math.min(sliceSeconds, Math.ceil(durationMs / 1000));
    await reservation.settle({
      id: derivedId(job.id, 'training', slices),
      route,
      model: modelId,
      tokens: 0,
      costPicodollars: price * BigInt(seconds),
      durationMs,
      requestId: job.id,
    });
    slices++;
  }
  const note = () => job.checkpoint({ slices } satisfies Checkpoint);

  const unpaid = new AbortController();
  const over = new AbortController();
  async function tick(): Promise<void> {
    for (;;) {
      await sleep(sliceSeconds * 1000, undefined, { signal: over.signal });
      await settle();
      await note();
      reservation = await reserveSlice();
      startedAt = performance.now();
    }
  }
  const ticking = tick().catch((error: unknown) => {
    if (!over.signal.aborted) unpaid.abort(error);
  });
  try {
    return await work(AbortSignal.any([job.signal, unpaid.signal]), () => void note().catch(() => {}));
  } catch (error) {
    unpaid.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    await ticking;
    if (!unpaid.signal.aborted) {
      await settle();
      // A job that was interrupted is told so by its signal.
      await note().catch(() => {});
    }
  }
}

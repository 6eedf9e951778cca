// One attempt at a job in this process: gathers its events and progress, writes them from time to time, and its checkpoints at once.
import type { Statement } from '../database/index.ts';
import type { Attempt, Ending, JobEvent, JobStore } from './store.ts';
import type { RunningJob } from './types.ts';

/** Why a job's signal was aborted. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly by: 'cancel' | 'stop' | 'loss';
  constructor(by: Interruption['by']) {
    super({ cancel: 'The job was cancelled', stop: 'The server stops', loss: 'Another process has the job' }[by]);
    this.by = by;
  }
}

export interface Run {
  attempt: Attempt;
  job: RunningJob;
  /** The first reason stays. */
  interrupt(by: Interruption['by']): void;
  interruptedBy(): Interruption['by'] | undefined;
  /** Ends the job with its last event and statements that belong to the end. False when another process has it. */
  end(ending: Ending, also: Statement[]): Promise<boolean>;
}

interface RunOptions {
  attempt: Attempt;
  store: JobStore;
  mostEvents: number;
  /** Events or the end are in the database. */
  written: () => void;
}

const writeAfterMs = 200;
const mostEventBytes = 64 * 1024;

export function createRun({ attempt, store, mostEvents, written }: RunOptions): Run {
  const controller = new AbortController();
  let lastNumber = attempt.lastEvent;
  let progress = attempt.job.progress;
  let toldProgress = progress;
  let waiting: JobEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  /** One write after the other: numbers must arrive in order. */
  let writing: Promise<unknown> = Promise.resolve();

  function append(type: string, data: object): void {
    waiting.push({ number: ++lastNumber, at: new Date(), type, data });
    if (waiting.length > mostEvents) waiting.shift();
    timer ??= setTimeout(() => void write().catch(() => {}), writeAfterMs);
  }

  function take(): JobEvent[] {
    clearTimeout(timer);
    timer = undefined;
    if (progress !== toldProgress) {
      toldProgress = progress;
      waiting.push({ number: ++lastNumber, at: new Date(), type: 'progress', data: { progress } });
    }
    const events = waiting;
    waiting = [];
    return events;
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = writing.then(work);
    writing = turn.catch(() => {});
    return turn;
  }

  function write(checkpoint?: { state: unknown }): Promise<void> {
    return inTurn(async () => {
      const events = take();
      const held = await store
        .note(attempt, { events, progress, ...(checkpoint && { checkpoint }) })
        .catch((error: unknown) => {
          // They go with the next write.
          waiting = [...events, ...waiting];
          throw error;
        });
      if (!held) controller.abort(new Interruption('loss'));
      written();
    });
  }

  append('status', { status: 'running' });
  return {
    attempt,
    job: {
      id: attempt.job.id,
      accountId: attempt.job.accountId,
      keyId: attempt.job.keyId,
      input: attempt.job.input,
      resumeFrom: attempt.checkpoint,
      signal: controller.signal,
      progress(fraction) {
        progress = Math.min(1, Math.max(0, fraction));
        timer ??= setTimeout(() => void write().catch(() => {}), writeAfterMs);
      },
      event(type, data) {
        if (JSON.stringify(data).length > mostEventBytes) throw new RangeError(`An event "${type}" is too large`);
        append(type, data);
      },
      async checkpoint(state) {
        await write({ state });
        controller.signal.throwIfAborted();
      },
    },
    interrupt(by) {
      if (!controller.signal.aborted) controller.abort(new Interruption(by));
    },
    interruptedBy() {
      const reason: unknown = controller.signal.reason;
      return reason instanceof Interruption ? reason.by : undefined;
    },
    end(ending, also) {
      return inTurn(async () => {
        const events = take();
        const { status, error } = ending;
        const number = lastNumber + 1;
        const last = { number, at: new Date(), type: 'status', data: { status, ...(error && { error }) } };
        try {
          return await store.end(attempt, ending, { events: [...events, last], also });
        } catch (failure) {
          waiting = events;
          throw failure;
        } finally {
          written();
        }
      });
    },
  };
}

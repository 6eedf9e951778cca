// Asks a server for something small every few milliseconds, from a thread of its own, and keeps how long each answer took.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const everyMs = 5;

export interface Probe {
  /** Milliseconds of each answer, the quickest first. */
  stop(): Promise<number[]>;
}

export async function startProbe(url: string): Promise<Probe> {
  const thread = new Worker(new URL(import.meta.url), { workerData: url });
  await once(thread, 'message');
  return {
    async stop() {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.postMessage('stop');
      const [times] = (await once(thread, 'message')) as [number[]];
      return times.toSorted((one, other) => one - other);
    },
  };
}

async function ask(url: string): Promise<void> {
  const times: number[] = [];
  const stop = new AbortController();
  parentPort?.once('message', () => stop.abort());
  await (await fetch(url)).text();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage('ready');
  while (!stop.signal.aborted) {
    const begin = performance.now();
    await (await fetch(url)).text();
    times.push(performance.now() - begin);
    await sleep(everyMs);
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(times);
}

if (!isMainThread) await ask(workerData as string);

// Large bodies are parsed and checked on a thread of their own, so that they don't hold up the other requests.
//
// The thread starts with the first large body and ends after a while without one. Only what the schema names comes back.
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { type Checked, type Route, routeById } from '@vectorium/contract';
import { ApiError } from './errors.ts';
import { readJson } from './json.ts';

interface Task {
  id: number;
  routeId: string;
  bytes: Uint8Array;
}
interface Done {
  id: number;
  checked: Checked;
}

export interface JsonThread {
  /** As readJson. Takes `bytes` and the memory around it away from the caller: it must not come from Node's pool. */
  read(bytes: Buffer, route: Route): Promise<Checked>;
  close(): Promise<void>;
}

const idleMs = 60_000;

export function createJsonThread(): JsonThread {
  let worker: Worker | null = null;
  let nextId = 0;
  let idle: NodeJS.Timeout | undefined;
  const waiting = new Map<number, { resolve(checked: Checked): void; reject(error: Error): void }>();

  function start(): Worker {
    const started = new Worker(new URL(import.meta.url));
    started.on('message', ({ id, checked }: Done) => {
      waiting.get(id)?.resolve(checked);
      waiting.delete(id);
      if (waiting.size > 0) return;
      started.unref();
      idle = setTimeout(() => void stop(), idleMs).unref();
    });
    started.on('error', cause => {
      if (worker === started) worker = null;
      for (const { reject } of waiting.values())
        reject(new ApiError('SERVICE_UNAVAILABLE', { message: 'The server could not read the body', cause }));
      waiting.clear();
    });
    return started;
  }

  async function stop(): Promise<void> {
    clearTimeout(idle);
    const stopped = worker;
    worker = null;
    await stopped?.terminate();
  }

  return {
    read(bytes, route) {
      clearTimeout(idle);
      worker ??= start();
      worker.ref();
      const task: Task = { id: nextId++, routeId: route.id, bytes };
      worker.postMessage(task, bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : []);
      return new Promise((resolve, reject) => waiting.set(task.id, { resolve, reject }));
    },
    close: stop,
  };
}

if (!isMainThread) {
  parentPort?.on('message', ({ id, routeId, bytes }: Task) => {
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const done: Done = { id, checked: readJson(whole, routeById(routeId)) };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage(done);
  });
}

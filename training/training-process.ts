// The entry of a training process: takes one job from its parent, does it, and ends.
//
// ONNX Runtime computes on the thread that calls it, so this thread hears its parent only between two calls. A thread beside it watches
// whether the parent still lives: its successor may do the job again, in the same folder.
import { exportPortable } from '@vectorium/nets';
import { lowerPriority, openReader } from '@vectorium/tables';
import { Worker } from 'node:worker_threads';
import { cancelled, fromPlain, toPlain } from './errors.ts';
import { estimateLanguage, trainLanguageModel } from './language/train.ts';
import { readerBytes } from './memory.ts';
import { estimate } from './plan.ts';
import type { FromProcess, Jobs, Kind, ToProcess } from './protocol.ts';
import { type TrainContext, train } from './train.ts';
import type { TrainServices } from './types.ts';

type Run = Extract<ToProcess, { type: 'run' }>;

const controller = new AbortController();
const asked = new Map<
  number,
  { resolve: (vectors: (Float32Array | null)[]) => void; reject: (error: Error) => void }
>();

new Worker(new URL('watch-thread.ts', import.meta.url), { workerData: Number(process.argv[2]) }).unref();
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('message', (message: ToProcess) => {
  if (message.type === 'run') void run(message);
  else if (message.type === 'cancel') {
    controller.abort(cancelled());
    for (const { reject } of asked.values()) reject(cancelled());
    asked.clear();
  } else {
    const waiting = asked.get(message.part);
    asked.delete(message.part);
    if (message.type === 'vectors') waiting?.resolve(message.vectors);
    else waiting?.reject(fromPlain(message.error));
  }
});

async function run(message: Run): Promise<void> {
  try {
    send({ type: 'done', result: await work(message) });
  } catch (error) {
    send({ type: 'failed', error: toPlain(controller.signal.aborted ? cancelled() : error) });
  }
}

async function work({ kind, input, limits, scratch }: Run): Promise<Jobs[Kind]['result']> {
  const { signal } = controller;
  const context: TrainContext = {
    limits,
    services,
    signal,
    progress: fraction => send({ type: 'progress', fraction }),
    event: (event, data) => send({ type: 'event', event, data } as FromProcess),
  };
  if (kind === 'train' || kind === 'trainLanguage') {
    lowerPriority();
    return kind === 'train' ? train(input, context) : trainLanguageModel(input, context);
  }
  if (kind === 'exportLanguage') {
    const { base, adapter, target } = input;
    await exportPortable(base.path, { precision: base.precision, adapter, folder: target });
    return null;
  }
  const reader = await openReader({
    source: input.source,
    scratch,
    memoryBytes: readerBytes(limits),
    maxSpillBytes: 2 ** 30,
  });
  signal.addEventListener('abort', () => reader.interrupt());
  try {
    return kind === 'check'
      ? await estimate(reader, input, limits)
      : await estimateLanguage(reader, { ...input, scratch }, limits);
  } finally {
    reader.close();
  }
}

const services: TrainServices = {
  embed: (texts, part) =>
    new Promise((resolve, reject) => {
      controller.signal.throwIfAborted();
      asked.set(part, { resolve, reject });
      send({ type: 'embed', texts, part });
    }),
};

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message);
}

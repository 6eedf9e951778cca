// What predictor.ts promises, with real threads and real models.
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEngine, type Engine, EngineError, type EngineOptions } from './index.ts';
import { tinyBert, tinyText } from './tiny-bert.ts';
import { tinyPredictor, tinyTable } from './tiny-predictor.ts';

let engine: Engine;
const threads: Worker[] = [];
const remember = (worker: Worker) => threads.push(worker);

function start(options: EngineOptions = {}): void {
  engine = createEngine({ workers: 2, ...options });
}

beforeEach(() => {
  threads.length = 0;
  process.on('worker', remember);
});

afterEach(async () => {
  await engine.close();
  process.off('worker', remember);
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`expected an EngineError, got ${String(error)}`);
  return error.code;
}

test('predictions and probabilities come in the order of the rows, over pieces and threads', async () => {
  start();
  const model = await tinyPredictor({ shift: 10 });
  const rows = 5000;
  const { values, probabilities } = await engine.predict(model, tinyTable(rows));
  expect([...values]).toEqual(Array.from({ length: rows }, (_, row) => row + 11));
  for (const row of [0, 1, 2000, rows - 1]) {
    const p = 1 / (1 + Math.exp(-row));
    expect(probabilities?.[2 * row]).toBeCloseTo(1 - p, 6);
    expect(probabilities?.[2 * row + 1]).toBeCloseTo(p, 6);
  }
  expect(engine.status().predictor).toMatchObject({ models: 1, queuedRows: 0, rows, busyThreads: 0 });
});

test('a single row does not wait for a large request, and large ones are done among single rows', async () => {
  start({ workers: 1 });
  const model = await tinyPredictor();
  await engine.predict(model, tinyTable(1));
  const order: string[] = [];
  const large = engine.predict(model, tinyTable(100_000)).then(() => order.push('large'));
  await engine.predict(model, tinyTable(1)).then(() => order.push('single'));
  while (order.length < 2) await Promise.all(Array.from({ length: 4 }, () => engine.predict(model, tinyTable(1))));
  await large;
  expect(order).toEqual(['single', 'large']);
});

test('QUEUE_FULL: what does not fit is refused, but whoever comes to an empty queue is served', async () => {
  start({ workers: 1, maxQueuedRows: 3000 });
  const model = await tinyPredictor();
  const first = engine.predict(model, tinyTable(10_000));
  expect(await codeOf(engine.predict(model, tinyTable(3000)))).toBe('QUEUE_FULL');
  expect((await first).values).toHaveLength(10_000);
  expect((await engine.predict(model, tinyTable(1))).values).toHaveLength(1);
});

test('WORKER_LOST: a thread that dies fails what it had, and the next request has a new one', async () => {
  start({ workers: 1 });
  const model = await tinyPredictor();
  await engine.predict(model, tinyTable(1));
  const broken = codeOf(engine.predict(model, tinyTable(20_000)));
  await threads[0]?.terminate();
  expect(await broken).toBe('WORKER_LOST');
  expect((await engine.predict(model, tinyTable(3))).values).toHaveLength(3);
  expect(engine.status()).toMatchObject({ lostWorkers: 1, predictor: { threads: 1 } });
});

test('a file that is no model fails its own requests only, again after a pause', async () => {
  start({ workers: 1 });
  const good = await tinyPredictor();
  const bad = await tinyPredictor();
  const { path } = await bad.open();
  await writeFile(path, 'no model');
  expect(await codeOf(engine.predict(bad, tinyTable(1)))).toBe('MODEL_FAILED');
  expect((await engine.predict(good, tinyTable(1))).values).toHaveLength(1);
  expect(engine.status().predictor.models).toBe(1);
});

test('an input that the model does not have fails that request, and the model stays', async () => {
  start();
  const model = await tinyPredictor();
  await engine.predict(model, tinyTable(1));
  const { rows, columns } = tinyTable(2);
  expect(await codeOf(engine.predict(model, { rows, columns: columns.slice(0, 1) }))).toBe('MODEL_FAILED');
  expect((await engine.predict(model, tinyTable(1))).values).toHaveLength(1);
});

test('what can not be opened fails with the reason as it is', async () => {
  start();
  const gone = new RangeError('gone');
  const model = { ...(await tinyPredictor()), open: () => Promise.reject(gone) };
  await expect(engine.predict(model, tinyTable(1))).rejects.toBe(gone);
});

test('memory: the least recently used makes room, and what never fits is refused', async () => {
  const first = await tinyPredictor({ padding: 10_000 });
  const second = await tinyPredictor({ padding: 10_000 });
  const third = await tinyPredictor({ padding: 10_000 });
  start({ workers: 1, memoryBudgetBytes: 4 * 2.5 * first.bytes });
  for (const model of [first, second]) await engine.predict(model, tinyTable(1));
  await sleep(5);
  await engine.predict(first, tinyTable(1));
  await engine.predict(third, tinyTable(1));
  expect(engine.status().predictor).toMatchObject({ models: 2, residentBytes: first.bytes + third.bytes });
  expect(await codeOf(engine.predict(await tinyPredictor({ padding: 40_000 }), tinyTable(1)))).toBe('MODEL_TOO_LARGE');
});

test('memory: an encoder that needs it has it all back', async () => {
  const encoder = await tinyBert();
  const model = await tinyPredictor({ padding: 2000 });
  start({ workers: 1 });
  const embedded = async () =>
    engine.embed(
      encoder,
      await engine.prepare(encoder, [tinyText(5)], { chunkSize: 512, overlap: 0, method: 'fixed' }),
      {},
    );
  await embedded();
  const { residentBytes } = engine.status();
  await engine.close();
  start({ workers: 1, memoryBudgetBytes: residentBytes });
  await engine.predict(model, tinyTable(1));
  await embedded();
  expect(engine.status()).toMatchObject({ residentBytes, predictor: { models: 0 } });
  await engine.predict(model, tinyTable(1));
});

test('a caller who leaves takes the rest of the rows along', async () => {
  start({ workers: 1 });
  const model = await tinyPredictor();
  const controller = new AbortController();
  const left = codeOf(engine.predict(model, tinyTable(200_000), controller.signal));
  controller.abort();
  expect(await left).toBe('CANCELLED');
  expect(engine.status().predictor.queuedRows).toBe(0);
});

test('a model that is forgotten, or idle for long, leaves memory, and idle threads end', async () => {
  start({ workers: 1, idleUnloadMs: 60 });
  const model = await tinyPredictor();
  await engine.predict(model, tinyTable(1));
  engine.forget(model.id);
  expect(engine.status().predictor.models).toBe(0);
  await engine.predict(model, tinyTable(1));
  await expect.poll(() => engine.status().predictor).toMatchObject({ models: 0, threads: 0 });
});

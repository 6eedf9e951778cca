import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine, type Engine, EngineError, type EngineOptions, type ModelHandle } from './index.ts';
import { tinyBert, tinyText } from './tiny-bert.ts';

let engine: Engine;
const threads: Worker[] = [];
const events: { event: string; fields: object }[] = [];
const remember = (worker: Worker) => threads.push(worker);

function start(options: EngineOptions = {}): Engine {
  engine = createEngine({ workers: 1, log: (event, fields) => events.push({ event, fields }), ...options });
  return engine;
}

beforeEach(() => {
  threads.length = 0;
  events.length = 0;
  process.on('worker', remember);
});

afterEach(async () => {
  await engine.close();
  process.off('worker', remember);
});

const plain = { chunkSize: 512, overlap: 0, method: 'sentence_aware' } as const;

async function vectorsOf(model: ModelHandle, texts: string[], options = {}): Promise<Float32Array[][]> {
  return engine.embed(model, await engine.prepare(model, texts, { ...plain, ...options }), options);
}

async function codeOf(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`expected an EngineError, got ${String(error)}`);
  return error;
}

function failedLoads(): number {
  return events.filter(({ event }) => event === 'engine.load_failed').length;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / Math.sqrt(aa * bb);
}

function expectSame(a: Float32Array | undefined, b: Float32Array | undefined): void {
  if (!a || !b) throw new Error('a vector is missing');
  expect(cosine(a, b)).toBeGreaterThanOrEqual(0.99999);
  expect(Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? 0))))).toBeLessThanOrEqual(1e-4);
}

/** The thread dies with its next batch in hand, before it computes: what `terminate` in native code does to a process is not ours. */
function dieAtNextBatch(worker: Worker): void {
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (message: { type: string }, ...rest: []) => {
    if (message.type === 'run') void worker.terminate();
    else post(message, ...rest);
  };
}

describe('vectors', () => {
  test('the same text gives the same vector whatever its batch, with the length that the model wants', async () => {
    const model = await tinyBert();
    start({ workers: 2 });
    const texts = [3, 17, 5, 40, 16, 8, 15, 14, 62, 1].map((length, index) => tinyText(length, index));
    const [together, ...alone] = [
      await vectorsOf(model, texts),
      ...(await Promise.all(texts.map(text => vectorsOf(model, [text])))),
    ];
    for (const [index, single] of alone.entries()) {
      expect(single[0]).toHaveLength(1);
      expectSame(together[index]?.[0], single[0]?.[0]);
      expect(Math.hypot(...(single[0]?.[0] ?? []))).toBeCloseTo(1, 5);
    }
    expect(cosine(together[0]?.[0] ?? new Float32Array(), together[3]?.[0] ?? new Float32Array())).toBeLessThan(0.9999);
  });

  test('not normalised when the model says so', async () => {
    const model = await tinyBert({ normalize: false });
    start();
    const [vectors] = await vectorsOf(model, [tinyText(9)]);
    expect(Math.abs(Math.hypot(...(vectors?.[0] ?? [])) - 1)).toBeGreaterThan(0.01);
  });

  test('the prefix of the input type stands before the text as if it had been written there', async () => {
    const model = await tinyBert({ prefixes: { query: 'query: ' } });
    start();
    const [prefixed] = await vectorsOf(model, ['w1 w2'], { inputType: 'query' });
    const [bare, written] = await vectorsOf(model, ['w1 w2', 'query: w1 w2'], { inputType: 'document' });
    expectSame(prefixed?.[0], written?.[0]);
    expect(cosine(prefixed?.[0] ?? new Float32Array(), bare?.[0] ?? new Float32Array())).toBeLessThan(0.9999);
  });

  test('a text is the same to the text worker, which has the first one, and here, where short ones are done later', async () => {
    const model = await tinyBert({ prefixes: { query: 'w9 w8: ' } });
    start();
    const options = { ...plain, chunkSize: 8, overlap: 0.3, inputType: 'query' } as const;
    const texts = [tinyText(20), '', tinyText(5, 3)];
    const there = await engine.prepare(model, texts, options);
    // A worker that answers has told of its tokenizer before; to be done by it, a text must be long now.
    const worker = threads[0];
    let sent = 0;
    const post = worker?.postMessage.bind(worker);
    if (worker && post) worker.postMessage = (...message: Parameters<typeof post>) => (sent++, post(...message));
    const here = await engine.prepare(model, texts, options);
    expect(sent).toBe(0);
    expect(here).toEqual(there);
    await engine.prepare(model, [tinyText(500)], options);
    expect(sent).toBe(1);
  });

  test('a chunk with special tokens and prefix never exceeds the model; tokens are counted once', async () => {
    const model = await tinyBert({ prefixes: { default: 'query: ' } });
    start();
    const text = tinyText(500);
    const [prepared] = await engine.prepare(model, [text], { ...plain, overlap: 0.2 });
    expect(prepared?.tokens).toBe(500);
    const chunks = prepared?.chunks ?? [];
    expect(Math.max(...chunks.map(({ tokens }) => tokens))).toBeLessThanOrEqual(64 - 4);
    expect(chunks.length).toBeGreaterThan(8);
    for (const { ids, tokens } of chunks) expect(ids.length).toBe(tokens);
    expect((await engine.embed(model, prepared ? [prepared] : [], {}))[0]).toHaveLength(chunks.length);
  });

  test('counts and tokens with their characters', async () => {
    const model = await tinyBert();
    start();
    expect(await engine.count(model, ['w1 w2, w3', ''])).toEqual([4, 0]);
    const { ids, offsets } = await engine.tokenize(model, 'w1  w2');
    expect(ids).toHaveLength(2);
    expect(offsets).toEqual([
      [0, 2],
      [4, 6],
    ]);
  });
});

describe('late chunking', () => {
  const late = { chunkSize: 16, overlap: 0, method: 'late' } as const;

  test('a document of one chunk gets the vector that it gets without late chunking', async () => {
    const model = await tinyBert({ prefixes: { default: 'query: ' } });
    start();
    const text = tinyText(30);
    const [whole] = await vectorsOf(model, [text]);
    const [prepared] = await vectorsOf(model, [text], { ...late, chunkSize: 60 });
    expectSame(prepared?.[0], whole?.[0]);
  });

  test('chunks see the whole document, and their weighted mean is its vector', async () => {
    const model = await tinyBert({ normalize: false });
    start();
    const text = tinyText(48);
    const [lateVectors = []] = await vectorsOf(model, [text], late);
    const [plainVectors = []] = await vectorsOf(model, [text], { chunkSize: 16 });
    const [whole] = await vectorsOf(model, [text]);
    expect(lateVectors.length).toBe(plainVectors.length);
    expect(cosine(lateVectors[1] ?? new Float32Array(), plainVectors[1] ?? new Float32Array())).toBeLessThan(0.9999);
    // The first chunk has [CLS] too, the last one [SEP].
    const counts = lateVectors.map(
      (_, index) => 16 + (index === 0 ? 1 : 0) + (index === lateVectors.length - 1 ? 1 : 0),
    );
    const mean = new Float32Array(32).map(
      (_, i) => lateVectors.reduce((sum, vector, index) => sum + (vector[i] ?? 0) * (counts[index] ?? 0), 0) / 50,
    );
    expectSame(mean, whole?.[0]);
  });

  test('a document longer than the model goes through in windows', async () => {
    const model = await tinyBert();
    start();
    const [vectors = []] = await vectorsOf(model, [tinyText(300)], late);
    expect(vectors.length).toBeGreaterThanOrEqual(19);
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  test('refused for a model that pools its first token', async () => {
    const model = await tinyBert({ pooling: 'first' });
    start();
    await expect(engine.prepare(model, ['w1'], late)).rejects.toThrow('mean-pooled');
  });
});

describe('the queue', () => {
  test('identical work in flight is computed once, and each caller owns its array', async () => {
    const model = await tinyBert();
    start();
    const prepared = await engine.prepare(model, [tinyText(10)], plain);
    const all = await Promise.all(Array.from({ length: 20 }, () => engine.embed(model, prepared, {})));
    expect(engine.status().models[0]?.texts).toBe(1);
    const buffers = new Set(all.map(vectors => vectors[0]?.[0]?.buffer));
    expect(buffers.size).toBe(20);
  });

  test('full: the same rule for one text and for many, with the seconds to wait; a request larger than the queue is served when it is empty', async () => {
    const model = await tinyBert();
    start({ maxQueuedTokens: 100 });
    const texts = Array.from({ length: 40 }, (_, index) => tinyText(20, index));
    const prepared = await engine.prepare(model, texts, plain);
    await engine.embed(model, prepared.slice(0, 1), {});
    const other = await engine.prepare(model, [tinyText(20, 77), tinyText(20, 78)], plain);
    // More than the queue holds, but nobody waits.
    const large = engine.embed(model, prepared, {});
    const refused = await Promise.all([
      codeOf(engine.embed(model, other.slice(0, 1), {})),
      codeOf(engine.embed(model, other, {})),
    ]);
    for (const { code, retryAfterSeconds } of refused) {
      expect(code).toBe('QUEUE_FULL');
      expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(Number.isInteger(retryAfterSeconds)).toBe(true);
    }
    expect((await large).length).toBe(40);
  });

  test('full of texts that are not tokenised yet: the same', async () => {
    const model = await tinyBert();
    start({ maxQueuedTokens: 1000 });
    const text = tinyText(2000);
    const [first, second] = [engine.count(model, [text]), codeOf(engine.count(model, [text]))];
    expect(await second).toMatchObject({ code: 'QUEUE_FULL', retryAfterSeconds: 1 });
    expect(await first).toEqual([2000]);
    expect(await engine.count(model, [text])).toEqual([2000]);
  });

  test('a caller that left is skipped', async () => {
    const model = await tinyBert();
    start();
    await vectorsOf(model, [tinyText(4)]);
    const before = engine.status().models[0]?.texts ?? 0;
    const prepared = await engine.prepare(
      model,
      Array.from({ length: 60 }, (_, index) => tinyText(62, index)),
      plain,
    );
    const leave = new AbortController();
    const gone = codeOf(engine.embed(model, prepared, { signal: leave.signal }));
    // Another caller wants one of the same texts and stays.
    const stays = engine.embed(model, prepared.slice(50, 51), {});
    await sleep(0);
    leave.abort();
    expect((await gone).code).toBe('CANCELLED');
    expect(await stays).toHaveLength(1);
    const { texts = 0, queuedTokens } = engine.status().models[0] ?? {};
    expect(texts - before).toBeLessThan(30);
    expect(queuedTokens).toBe(0);
    expect((await codeOf(engine.prepare(model, ['w1'], { ...plain, signal: leave.signal }))).code).toBe('CANCELLED');
  });

  test('a short text passes a crowd of long ones', async () => {
    const model = await tinyBert({ maxTokens: 512, hidden: 64 });
    start();
    await vectorsOf(model, [tinyText(4)]);
    const long = await engine.prepare(
      model,
      Array.from({ length: 40 }, (_, index) => tinyText(500, index)),
      plain,
    );
    const short = await engine.prepare(model, [tinyText(5, 3)], plain);
    let done = 0;
    const crowd = long.map(text => engine.embed(model, [text], {}).then(() => done++));
    await Promise.race(crowd);
    const before = done;
    await engine.embed(model, short, {});
    // One batch was running; one more may have gone before, and its answer come in the same turn.
    expect(done - before).toBeLessThanOrEqual(2);
    await Promise.all(crowd);
  });

  test('padding is reported', async () => {
    const model = await tinyBert();
    start();
    await vectorsOf(model, [tinyText(10, 1), tinyText(12, 2)]);
    const status = engine.status().models[0];
    expect(status).toMatchObject({ batches: 1, texts: 2, tokens: 26, paddingTokens: 2, state: 'ready', sessions: 1 });
    expect(status?.tokensPerSecond).toBeGreaterThan(0);
  });
});

describe('threads', () => {
  test('a worker that dies fails its callers with WORKER_LOST and is started again', async () => {
    const model = await tinyBert();
    start();
    const prepared = await engine.prepare(model, [tinyText(10), tinyText(40)], plain);
    await engine.embed(model, prepared, {});
    const session = threads.at(-1);
    if (!session) throw new Error('no session thread');
    dieAtNextBatch(session);
    const [first, second] = prepared.map(text => engine.embed(model, [text], {}));
    if (!first || !second) throw new Error('two requests');
    expect((await codeOf(first)).code).toBe('WORKER_LOST');
    // Whoever was still waiting is served by the thread's successor.
    expect(await second).toHaveLength(1);
    expect(engine.status().lostWorkers).toBe(1);
    expect(events.map(({ event }) => event)).toContain('engine.worker_lost');
    expect(await engine.embed(model, prepared, {})).toHaveLength(2);
  });

  test('an idle worker that dies comes again before anybody asks', async () => {
    const model = await tinyBert();
    start();
    await vectorsOf(model, [tinyText(10)]);
    const count = threads.length;
    await threads.at(-1)?.terminate();
    await expect.poll(() => engine.status().models[0]?.sessions, { timeout: 30_000 }).toBe(1);
    expect(threads.length).toBe(count + 1);
  });

  test("the tokenizer's worker comes again too", async () => {
    const model = await tinyBert();
    start();
    await engine.count(model, ['w1']);
    const lost = codeOf(engine.count(model, [tinyText(200_000)]));
    await threads[0]?.terminate();
    expect((await lost).code).toBe('WORKER_LOST');
    expect(await engine.count(model, ['w1'])).toEqual([1]);
  });

  test('one that keeps dying is started ever more slowly, and callers are told when to come again', async () => {
    const model = await tinyBert();
    start();
    await vectorsOf(model, [tinyText(10)]);
    const before = threads.length;
    const die = (worker: Worker) => dieAtNextBatch(worker);
    process.on('worker', die);
    const last = threads.at(-1);
    if (last) dieAtNextBatch(last);
    const prepared = await engine.prepare(model, [tinyText(12)], plain);
    const until = Date.now() + 2000;
    const retries: number[] = [];
    while (Date.now() < until) {
      const error = await codeOf(engine.embed(model, prepared, {}));
      expect(error.code).toBe('WORKER_LOST');
      if (error.retryAfterSeconds) retries.push(error.retryAfterSeconds);
      await sleep(5);
    }
    process.off('worker', die);
    expect(threads.length - before).toBeLessThanOrEqual(5);
    expect(retries.length).toBeGreaterThan(10);
  });

  test('a poisoned model fails its own callers only, and works again when its files are right', async () => {
    const [good, bad] = [await tinyBert(), await tinyBert({ seed: 2 })];
    start();
    const weights = join(bad.folder, 'model.safetensors');
    const bytes = await readFile(weights);
    await writeFile(weights, bytes.subarray(0, 5000));
    expect((await codeOf(vectorsOf(bad, [tinyText(5)]))).code).toBe('MODEL_FAILED');
    expect(await vectorsOf(good, [tinyText(5)])).toHaveLength(1);
    await writeFile(weights, bytes);
    expect(await vectorsOf(bad, [tinyText(5)])).toHaveLength(1);
    await writeFile(join(good.folder, 'tokenizer.json'), '{');
    await engine.unload(good.id);
    expect((await codeOf(vectorsOf(good, [tinyText(5)]))).code).toBe('MODEL_FAILED');
    expect(await vectorsOf(bad, [tinyText(6)])).toHaveLength(1);
  });

  test('a model that is described as larger than it is is refused, with both numbers', async () => {
    const model = await tinyBert();
    start();
    const [wider, longer] = [
      { ...model, id: 'wider', dimension: 48 },
      { ...model, id: 'longer', maxTokens: 128 },
    ];
    expect((await codeOf(vectorsOf(wider, ['w1']))).message).toBe('wider gives 32 dimensions, not 48');
    expect((await codeOf(vectorsOf(longer, ['w1']))).message).toBe('longer takes 64 tokens, not 128');
    expect(await vectorsOf({ ...model, id: 'shorter', maxTokens: 32 }, ['w1'])).toHaveLength(1);
  });

  test('a further session that cannot load is not tried again at once, and the first one serves all', async () => {
    const model = await tinyBert();
    start({ workers: 2 });
    await vectorsOf(model, [tinyText(5)]);
    // The graph is read only when a session is created.
    for (const name of await readdir(model.folder)) if (name.endsWith('.onnx')) await rm(join(model.folder, name));
    const texts = Array.from({ length: 40 }, (_, index) => tinyText(60, index));
    const until = Date.now() + 10_000;
    while (failedLoads() === 0 && Date.now() < until) await vectorsOf(model, texts);
    const before = threads.length;
    const more = Date.now() + 1000;
    while (Date.now() < more) expect(await vectorsOf(model, texts)).toHaveLength(40);
    expect(failedLoads()).toBe(1);
    expect(threads.length).toBe(before);
  });

  test('a text that the model cannot take fails alone', async () => {
    const model = await tinyBert();
    start();
    const [good] = await engine.prepare(model, [tinyText(5)], plain);
    if (!good) throw new Error('one text');
    const bad = {
      ...good,
      chunks: good.chunks.map(chunk => ({ ...chunk, ids: Int32Array.from(chunk.ids, () => 9999) })),
    };
    const [first, second] = [engine.embed(model, [good], {}), codeOf(engine.embed(model, [bad], {}))];
    expect((await second).code).toBe('MODEL_FAILED');
    expect(await first).toHaveLength(1);
    expect(engine.status().lostWorkers).toBe(0);
  });

  test('work does not hold up the event loop', async () => {
    const model = await tinyBert({ maxTokens: 512, hidden: 128, layers: 4 });
    start();
    await vectorsOf(model, [tinyText(5)]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    const started = performance.now();
    await vectorsOf(
      model,
      Array.from({ length: 30 }, (_, index) => tinyText(500, index)),
    );
    clearInterval(timer);
    expect(ticks).toBeGreaterThan((performance.now() - started) / 20);
  });
});

describe('memory', () => {
  test('more models than the budget holds take turns; the least recently used goes', async () => {
    const models = [await tinyBert({ seed: 1 }), await tinyBert({ seed: 2 }), await tinyBert({ seed: 3 })];
    start({ memoryBudgetBytes: 250_000 });
    for (const model of models) {
      expect(await vectorsOf(model, [tinyText(6)])).toHaveLength(1);
      expect(engine.status().residentBytes).toBeLessThanOrEqual(250_000);
    }
    expect(engine.status().models.map(({ state }) => state)).toEqual(['unloaded', 'ready', 'ready']);
    const [first] = models;
    if (first) expect(await vectorsOf(first, [tinyText(7)])).toHaveLength(1);
    expect(engine.status().models.map(({ state }) => state)).toEqual(['ready', 'unloaded', 'ready']);
  });

  test('a second session needs room of its own', async () => {
    const model = await tinyBert({ maxTokens: 512 });
    start({ workers: 2, memoryBudgetBytes: 200_000 });
    await vectorsOf(
      model,
      Array.from({ length: 60 }, (_, index) => tinyText(300, index)),
    );
    expect(engine.status().residentBytes).toBeLessThanOrEqual(200_000);
    expect(engine.status().models[0]?.sessions).toBe(1);
  });

  test('a model larger than the budget is refused', async () => {
    const model = await tinyBert();
    start({ memoryBudgetBytes: 1000 });
    expect((await codeOf(vectorsOf(model, [tinyText(6)]))).code).toBe('MODEL_TOO_LARGE');
  });

  test('an idle model is unloaded with its threads, and loaded again on demand', async () => {
    const model = await tinyBert();
    start({ idleUnloadMs: 100 });
    await vectorsOf(model, [tinyText(6)]);
    await expect.poll(() => engine.status().models[0]?.state, { timeout: 30_000 }).toBe('unloaded');
    expect(engine.status().residentBytes).toBe(0);
    expect(await vectorsOf(model, [tinyText(6)])).toHaveLength(1);
  });

  test('loading does not hold up other models', async () => {
    const [ready, slow] = [await tinyBert(), await tinyBert({ hidden: 256, layers: 8 })];
    start();
    await vectorsOf(ready, [tinyText(6)]);
    const loading = vectorsOf(slow, [tinyText(6)]);
    let served = 0;
    while (
      !events.some(
        ({ event, fields }) => event === 'engine.session_loaded' && 'model' in fields && fields.model === slow.id,
      )
    ) {
      await vectorsOf(ready, [tinyText(6, served++)]);
    }
    expect(served).toBeGreaterThan(5);
    await loading;
  });
});

test('closing finishes what is queued, then stops every thread and takes nothing new', async () => {
  const model = await tinyBert({ maxTokens: 512 });
  start({ workers: 2 });
  const prepared = await engine.prepare(
    model,
    Array.from({ length: 30 }, (_, index) => tinyText(400, index)),
    plain,
  );
  const ends = threads.map(worker => new Promise(resolve => worker.once('exit', resolve)));
  const work = prepared.map(text => engine.embed(model, [text], {}));
  await sleep(1);
  const closed = engine.close();
  expect((await codeOf(engine.count(model, ['w1']))).code).toBe('CANCELLED');
  expect(await Promise.all(work)).toHaveLength(30);
  await closed;
  await Promise.all(ends);
  expect(engine.status().models[0]?.state).toBe('unloaded');
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { InFlight, type Work } from './in-flight.ts';

const here = new AbortController().signal;

test('identical requests in flight are computed once and charged once', async () => {
  const { start, counts } = counted(20);
  const inFlight = new InFlight<string>();
  const results = await Promise.all(Array.from({ length: 5 }, () => inFlight.run(request('a'), here, start)));
  expect(results).toEqual(Array.from({ length: 5 }, () => 'done'));
  expect(counts).toEqual({ started: 1, settled: 1, released: 0, stopped: 0 });
});

test('requests that differ in key, option or text are not joined, and neither is a later one', async () => {
  const { start, counts } = counted(5);
  const inFlight = new InFlight<string>();
  await Promise.all([
    inFlight.run(request('a'), here, start),
    inFlight.run(request('a', 'other key'), here, start),
    inFlight.run(request('b'), here, start),
  ]);
  await inFlight.run(request('a'), here, start);
  expect(counts).toMatchObject({ started: 4, settled: 4 });
});

test('a caller who leaves early stops the work and pays nothing', async () => {
  const { start, counts } = counted(50);
  const inFlight = new InFlight<string>();
  const caller = new AbortController();
  const answer = inFlight.run(request('a'), caller.signal, start);
  caller.abort(new Error('left'));
  await expect(answer).rejects.toThrow('left');
  await sleep(80);
  expect(counts).toEqual({ started: 1, settled: 0, released: 0, stopped: 1 });
});

test('one of two callers leaves: the other gets the answer and it is charged once', async () => {
  const { start, counts } = counted(30);
  const inFlight = new InFlight<string>();
  const caller = new AbortController();
  const leaving = inFlight.run(request('a'), caller.signal, start);
  const staying = inFlight.run(request('a'), here, start);
  caller.abort(new Error('left'));
  await expect(leaving).rejects.toThrow('left');
  expect(await staying).toBe('done');
  expect(counts).toEqual({ started: 1, settled: 1, released: 0, stopped: 0 });
});

test('the retry of a client that timed out finds the work of the first try', async () => {
  const { start, counts } = counted(60);
  const inFlight = new InFlight<string>({ timeoutLikeMs: 10, graceMs: 200 });
  const caller = new AbortController();
  const first = inFlight.run(request('a'), caller.signal, start);
  await sleep(20);
  caller.abort(new Error('timed out'));
  await expect(first).rejects.toThrow('timed out');
  await sleep(80); // done by now, nobody there, not charged
  expect(counts.settled).toBe(0);
  expect(await inFlight.run(request('a'), here, start)).toBe('done');
  expect(counts).toEqual({ started: 1, settled: 1, released: 0, stopped: 0 });
});

test('when nobody comes back, what was finished is given back and a later request starts anew', async () => {
  const { start, counts } = counted(20);
  const inFlight = new InFlight<string>({ timeoutLikeMs: 0, graceMs: 40 });
  const caller = new AbortController();
  const first = inFlight.run(request('a'), caller.signal, start);
  caller.abort(new Error('timed out'));
  await expect(first).rejects.toThrow('timed out');
  await sleep(100);
  expect(counts).toMatchObject({ settled: 0, released: 1 });
  await inFlight.run(request('a'), here, start);
  expect(counts).toMatchObject({ started: 2, settled: 1 });
});

test('a failure reaches every caller, and the next request tries again', async () => {
  const inFlight = new InFlight<string>();
  const both = await Promise.allSettled([1, 2].map(() => inFlight.run(request('a'), here, fail)));
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const { start } = counted(1);
  expect(await inFlight.run(request('a'), here, start)).toBe('done');
});

test('a settlement that fails is told to every caller', async () => {
  const inFlight = new InFlight<string>();
  const both = await Promise.allSettled([1, 2].map(() => inFlight.run(request('a'), here, unpayable)));
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

function request(text: string, fingerprint = 'key /vectorize') {
  return { fingerprint, texts: [text] };
}

async function fail(): Promise<Work<string>> {
  await sleep(5);
  throw new Error('broken');
}

async function unpayable(): Promise<Work<string>> {
  return { result: 'done', settle: () => Promise.reject(new Error('no database')), release: () => {} };
}

function counted(milliseconds: number) {
  const counts = { started: 0, settled: 0, released: 0, stopped: 0 };
  const start = async (signal: AbortSignal): Promise<Work<string>> => {
    counts.started++;
    signal.addEventListener('abort', () => counts.stopped++);
    await sleep(milliseconds);
    signal.throwIfAborted();
    return {
      result: 'done',
      settle: async () => void counts.settled++,
      release: () => void counts.released++,
    };
  };
  return { start, counts };
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchQueue, type Queued } from './queue.ts';

interface Text extends Queued {
  name: string;
}

const text = (length: number, name = ''): Text => ({ length, alone: false, name });
const texts = (lengths: number[]) => lengths.map(length => text(length));
const lengthsOf = (batch: Text[]) => batch.map(({ length }) => length);

const anyLengths = fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 40 });
const anyRequests = fc.array(anyLengths, { minLength: 1, maxLength: 12 });

describe('rule 1, budget', () => {
  test('longest × count stays under the budget, except for one text alone', () => {
    fc.assert(
      fc.property(anyRequests, fc.integer({ min: 1, max: 1000 }), (requests, budget) => {
        const queue = new BatchQueue<Text>();
        for (const lengths of requests) queue.add(texts(lengths));
        while (queue.size > 0) {
          const batch = queue.take(budget);
          if (batch.length !== 1) expect(Math.max(...lengthsOf(batch)) * batch.length).toBeLessThanOrEqual(budget);
        }
      }),
    );
  });

  test('attention scores are bounded too: long texts do not go together however large the budget', () => {
    const queue = new BatchQueue<Text>();
    queue.add(texts([2048, 2048]));
    expect(queue.take(1e9)).toHaveLength(1);
  });

  test('everything comes out once, and the counts are true', () => {
    fc.assert(
      fc.property(anyRequests, requests => {
        const queue = new BatchQueue<Text>();
        const all = requests.map(texts);
        for (const request of all) queue.add(request);
        expect(queue.tokens).toBe(requests.flat().reduce((sum, length) => sum + length, 0));
        const seen = new Set<Text>();
        while (queue.size > 0) for (const item of queue.take(512)) seen.add(item);
        expect(seen.size).toBe(requests.flat().length);
        expect(queue.tokens).toBe(0);
      }),
    );
  });
});

describe('rule 2, padding', () => {
  test('never costs more than eight tokens a text', () => {
    fc.assert(
      fc.property(anyRequests, requests => {
        const queue = new BatchQueue<Text>();
        for (const lengths of requests) queue.add(texts(lengths));
        while (queue.size > 0) {
          const lengths = lengthsOf(queue.take(512));
          const padding = Math.max(...lengths) * lengths.length - lengths.reduce((sum, length) => sum + length, 0);
          expect(padding).toBeLessThanOrEqual(8 * (lengths.length - 1));
        }
      }),
    );
  });

  test('on a mix of 16 to 512 tokens from 64 callers it is under 3 %', () => {
    let seed = 7;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const length = () => 16 + Math.floor(random() * 497);
    const queue = new BatchQueue<Text>();
    for (let caller = 0; caller < 62; caller++) queue.add([text(length())]);
    let real = 0;
    let padded = 0;
    for (let batches = 0; batches < 2000; batches++) {
      const lengths = lengthsOf(queue.take(512));
      real += lengths.reduce((sum, value) => sum + value, 0);
      padded += Math.max(...lengths) * lengths.length;
      for (const _ of lengths) queue.add([text(length())]);
    }
    expect(padded / real - 1).toBeLessThan(0.03);
  });

  test('texts of one length fill the batch', () => {
    const queue = new BatchQueue<Text>();
    queue.add(texts(Array.from({ length: 40 }, () => 16)));
    expect(queue.take(512)).toHaveLength(32);
  });

  test('what must be alone is alone', () => {
    const queue = new BatchQueue<Text>();
    queue.add([...texts([16, 16]), { ...text(16, 'alone'), alone: true }]);
    const batches = [queue.take(512), queue.take(512)].map(batch => batch.map(({ name }) => name));
    expect(batches.toSorted((a, b) => a.length - b.length)).toEqual([['alone'], ['', '']]);
  });
});

describe('rule 3, fair order', () => {
  test('a single text does not wait for a thousand of another request', () => {
    const queue = new BatchQueue<Text>();
    queue.add(texts(Array.from({ length: 1000 }, () => 100)));
    for (let batches = 0; batches < 5; batches++) queue.take(512);
    queue.add([text(100, 'single')]);
    let waited = 0;
    while (!queue.take(512).some(({ name }) => name === 'single')) waited++;
    expect(waited).toBeLessThanOrEqual(1);
  });

  test('two requests of equal texts are served at equal rates', () => {
    const queue = new BatchQueue<Text>();
    queue.add(Array.from({ length: 200 }, () => text(100, 'first')));
    queue.add(Array.from({ length: 100 }, () => text(100, 'second')));
    const served = Array.from({ length: 20 }, () => queue.take(500)).flat();
    const second = served.filter(({ name }) => name === 'second').length;
    expect(Math.abs(second - served.length / 2)).toBeLessThanOrEqual(5);
  });

  test('nothing starves: under endless newcomers of any length, a text goes after a bounded share of other tokens', () => {
    fc.assert(
      fc.property(
        anyLengths,
        fc.integer({ min: 1, max: 600 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 600 })),
        (before, length, newcomers) => {
          const queue = new BatchQueue<Text>();
          queue.add(texts(before));
          queue.add([text(length, 'watched')]);
          const ahead = before.reduce((sum, value) => sum + value, 0);
          let served = 0;
          for (;;) {
            const batch = queue.take(512);
            if (batch.some(({ name }) => name === 'watched')) return;
            served += batch.reduce((sum, item) => sum + item.length, 0);
            // Every batch is replaced by as many texts of one new request each.
            for (const _ of batch) queue.add([text(newcomers.next().value ?? 1)]);
            expect(served).toBeLessThanOrEqual(4 * (ahead + 600 + 512 * (before.length + 2)));
          }
        },
      ),
    );
  });
});

describe('rule 4, short before long', () => {
  test('the shortest text waits for at most one batch of longer ones, whatever has come and comes', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        lengths: fc.array(fc.integer({ min: 40, max: 600 }), { minLength: 1, maxLength: 20 }),
      }),
      fc.record({ kind: fc.constant('take' as const) }),
      fc.record({ kind: fc.constant('short' as const), length: fc.integer({ min: 1, max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(anyLengths, { maxLength: 5 }), (steps, later) => {
        const queue = new BatchQueue<Text>();
        for (const action of steps) {
          if (action.kind === 'add') queue.add(texts(action.lengths));
          else if (action.kind === 'short') queue.add([text(action.length)]);
          else queue.take(512);
        }
        queue.add([text(1, 'short')]);
        let longerBatches = 0;
        for (let turn = 0; ; turn++) {
          const batch = queue.take(512);
          if (batch.some(({ name }) => name === 'short')) break;
          if (batch.every(({ length }) => length > 2)) longerBatches++;
          queue.add(texts((later[turn] ?? []).map(length => length + 1)));
        }
        expect(longerBatches).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('a short text between full batches of long ones goes next', () => {
    const queue = new BatchQueue<Text>();
    queue.add(texts(Array.from({ length: 50 }, () => 500)));
    queue.take(512);
    queue.take(512);
    queue.add([text(16, 'short')]);
    expect(queue.take(512).map(({ name }) => name)).toEqual(['short']);
  });

  test('short texts that keep coming do not hold a long one up', () => {
    const queue = new BatchQueue<Text>();
    queue.add([text(500, 'long')]);
    queue.add(texts([16]));
    let batches = 1;
    while (!queue.take(512).some(({ name }) => name === 'long')) {
      queue.add(texts([16]));
      batches++;
    }
    expect(batches).toBe(2);
  });
});

test('a text taken out is not served', () => {
  const queue = new BatchQueue<Text>();
  const [first, second] = [text(16, 'gone'), text(17, 'here')];
  queue.add([first, second]);
  expect(queue.remove(first)).toBe(true);
  expect(queue.remove(first)).toBe(false);
  expect(queue.tokens).toBe(17);
  expect(queue.take(512)).toEqual([second]);
});

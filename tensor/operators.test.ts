// Every plain operator, run in ONNX Runtime, against plain arithmetic.
import * as fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { Tensor } from './expression.ts';
import { toOnnx } from './onnx/emit.ts';
import * as t from './operators.ts';
import { broadcast, product as productOf } from './shape.ts';
import {
  build,
  evaluate,
  expectClose,
  gelu,
  geluByTanh,
  map,
  noise,
  pick,
  product,
  softmax,
  swapped,
  values,
} from './testing.ts';

const f32 = (name: string, shape: readonly (number | string)[]) => t.input(name, shape);

describe('elementwise', () => {
  const binary = { add: t.add, sub: t.sub, mul: t.mul, div: t.div, max: t.max, min: t.min };
  const plain: Record<keyof typeof binary, (x: number, y: number) => number> = {
    add: (x, y) => x + y,
    sub: (x, y) => x - y,
    mul: (x, y) => x * y,
    div: (x, y) => x / y,
    max: Math.max,
    min: Math.min,
  };

  test('binary operators broadcast as shapes say', async () => {
    // Two shapes that broadcast: the second drops leading axes of the first and has ones where it likes.
    const shapes = fc
      .array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 })
      .chain(whole =>
        fc
          .tuple(fc.array(fc.boolean(), { minLength: whole.length, maxLength: whole.length }), fc.nat(whole.length))
          .map(([ones, dropped]) => [whole, whole.map((d, i) => (ones[i] ? 1 : d)).slice(dropped)] as const),
      );
    const names = fc.constantFrom<keyof typeof binary>('add', 'sub', 'mul', 'div', 'max', 'min');
    await fc.assert(
      fc.asyncProperty(shapes, names, fc.boolean(), async ([whole, part], name, exchanged) => {
        const [a, b] = exchanged ? [part, whole] : [whole, part];
        const [x, y] = [noise(...a), map(noise(...b), v => v + 2)];
        const result = await evaluate(binary[name](f32('x', a), f32('y', b)), { x, y });
        expectClose(
          result,
          build(whole, i => plain[name](pick(x, i), pick(y, i))),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('a number is an operand too, on either side', async () => {
    const x = noise(2, 3);
    const named = f32('x', ['rows', 3]);
    expectClose(
      await evaluate(t.mul(named, 2.5), { x }),
      map(x, v => v * 2.5),
    );
    expectClose(
      await evaluate(t.sub(1, named), { x }),
      map(x, v => 1 - v),
    );
    expectClose(
      await evaluate(t.pow(2, named), { x }),
      map(x, v => 2 ** v),
    );
  });

  test('addAll adds operands of several shapes', async () => {
    const [x, y, z] = [noise(2, 3, 4), noise(3, 4), noise(4)];
    const total = t.addAll(f32('x', ['batch', 'tokens', 4]), f32('y', ['tokens', 4]), f32('z', [4]));
    expectClose(
      await evaluate(total, { x, y, z }),
      build([2, 3, 4], i => pick(x, i) + pick(y, i) + pick(z, i)),
    );
  });

  test.each([
    ['relu', t.relu, (x: number) => Math.max(0, x)],
    ['tanh', t.tanh, Math.tanh],
    ['silu', t.silu, (x: number) => x / (1 + Math.exp(-x))],
    ['gelu', (x: Parameters<typeof t.gelu>[0]) => t.gelu(x), gelu],
    ['gelu by tanh', (x: Parameters<typeof t.gelu>[0]) => t.gelu(x, 'tanh'), geluByTanh],
    ['neg', t.neg, (x: number) => -x],
    ['abs', t.abs, Math.abs],
    ['sign', t.sign, Math.sign],
    ['exp', t.exp, Math.exp],
    ['log', (x: Parameters<typeof t.gelu>[0]) => t.log(t.exp(x)), (x: number) => x],
    ['sqrt', (x: Parameters<typeof t.gelu>[0]) => t.sqrt(t.square(x)), Math.abs],
    ['sin', t.sin, Math.sin],
    ['cos', t.cos, Math.cos],
    ['erf', t.erf, (x: number) => (2 * gelu(x * Math.SQRT2)) / (x * Math.SQRT2) - 1],
    ['sigmoid', t.sigmoid, (x: number) => 1 / (1 + Math.exp(-x))],
    ['softplus', t.softplus, (x: number) => Math.log1p(Math.exp(x))],
    ['mish', t.mish, (x: number) => x * Math.tanh(Math.log1p(Math.exp(x)))],
    ['selu', t.selu, (x: number) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
    ['pow', (x: Parameters<typeof t.gelu>[0]) => t.pow(x, 2), (x: number) => x * x],
    ['stopGradient', t.stopGradient, (x: number) => x],
  ])('%s', async (_, operator, of) => {
    const x = map(noise(5, 7), v => v * 3);
    expectClose(await evaluate(operator(f32('x', ['rows', 7])), { x }), map(x, of));
  });

  test('where and greater choose', async () => {
    const [x, y] = [noise(3, 4), noise(4)];
    const rows = f32('x', ['rows', 4]);
    const chosen = t.where(t.greater(rows, f32('y', [4])), rows, 0);
    expectClose(
      await evaluate(chosen, { x, y }),
      build([3, 4], i => (pick(x, i) > pick(y, i) ? pick(x, i) : 0)),
    );
  });

  test('whole numbers bit by bit, which wrap around', async () => {
    const x = t.constant(Uint32Array.of(0xdeadbeef, 7));
    const hashed = t.bitXor(t.mul(x, 1664525), t.shiftRight(t.bitAnd(t.shiftLeft(x, 3), 0xffff), 1));
    const expected = [0xdeadbeef, 7].map(v => (Math.imul(v, 1664525) ^ (((v << 3) & 0xffff) >>> 1)) >>> 0);
    expectClose(await evaluate(hashed), values([2], expected), 0);
    const wide = t.mul(t.constant(BigUint64Array.of(2n ** 40n)), 2 ** 13);
    expectClose(await evaluate(wide), values([1], [2 ** 53]), 0);
  });

  test('equal and cast', async () => {
    const same = t.cast(t.equal(t.input('ids', ['n'], 'i64'), t.integers([3])), 'f32');
    expectClose(await evaluate(same, { ids: values([4], [1, 3, 3, 0]) }, { ids: 'int64' }), values([4], [0, 1, 1, 0]));
  });
});

describe('shape', () => {
  const x = noise(2, 3, 4);
  const symbolic = f32('x', ['batch', 'tokens', 4]);

  test.each([
    [
      ['batch*tokens', 4],
      [6, 4],
    ],
    [
      ['batch', 1, 'tokens', 4],
      [2, 1, 3, 4],
    ],
    [
      ['batch', 'tokens', 2, 2],
      [2, 3, 2, 2],
    ],
    [
      ['tokens', 'batch', 4],
      [3, 2, 4],
    ],
    [['4*batch*tokens'], [24]],
  ])('reshape to %j', async (shape, expected) => {
    expectClose(await evaluate(t.reshape(symbolic, shape), { x }), values(expected, x.data));
  });

  test('expand', async () => {
    const y = noise(3, 1);
    const wide = t.expand(f32('y', ['tokens', 1]), [2, 'tokens', 4]);
    expectClose(
      await evaluate(wide, { y }),
      build([2, 3, 4], i => pick(y, i)),
    );
  });

  test('transpose, slice and concat', async () => {
    const turned = await evaluate(t.transpose(symbolic, [2, 0, 1]), { x });
    expectClose(
      turned,
      build([4, 2, 3], ([a = 0, b = 0, c = 0]) => pick(x, [b, c, a])),
    );
    const cut = await evaluate(t.slice(symbolic, -1, { start: 1, length: 2 }), { x });
    expectClose(
      cut,
      build([2, 3, 2], ([a = 0, b = 0, c = 0]) => pick(x, [a, b, c + 1])),
    );
    const both = await evaluate(t.concat([symbolic, t.mul(symbolic, 2)], 2), { x });
    expectClose(
      both,
      build([2, 3, 8], ([a = 0, b = 0, c = 0]) => pick(x, [a, b, c % 4]) * (c < 4 ? 1 : 2)),
    );
  });

  test('a slice as long as a named dimension', async () => {
    const table = t.constant(
      Float32Array.from({ length: 10 }, (_, i) => i),
      [10, 1],
    );
    const rows = t.mul(t.slice(table, 0, { start: 2, length: 'tokens' }), f32('y', ['tokens', 1]));
    expectClose(await evaluate(rows, { y: values([3, 1], [1, 1, 1]) }), values([3, 1], [2, 3, 4]));
  });

  test('pad puts back what slice cut out', async () => {
    const y = noise(3, 2);
    const padded = t.pad(f32('y', ['tokens', 2]), 1, { start: 1, length: 5 });
    expectClose(
      await evaluate(padded, { y }),
      build([3, 5], ([r = 0, c = 0]) => (c >= 1 && c < 3 ? pick(y, [r, c - 1]) : 0)),
    );
    const named = t.pad(t.slice(f32('z', ['rows', 2]), 0, { start: 1, length: 'tokens' }), 0, {
      start: 1,
      length: 'rows',
    });
    const both = t.add(named, t.mul(t.sum(f32('y', ['tokens', 2]), [0, 1]), 0));
    const z = noise(6, 2);
    expectClose(
      await evaluate(both, { z, y }),
      build([6, 2], ([r = 0, c = 0]) => (r >= 1 && r < 4 ? pick(z, [r, c]) : 0)),
    );
  });

  test('count gives the length that a name has', async () => {
    const length = t.count(['batch', 'tokens', 2]);
    expect(t.count([3, 2])).toBe(6);
    if (typeof length === 'number') throw new Error('the length is known already');
    expectClose(await evaluate(t.add(length, t.mul(t.sum(symbolic, [0, 1, 2]), 0)), { x }), values([], [12]));
  });

  test('range counts to a named dimension', async () => {
    const counted = t.add(t.range('tokens'), t.input('ids', ['tokens'], 'i64'));
    expectClose(await evaluate(counted, { ids: values([3], [5, 5, 5]) }, { ids: 'int64' }), values([3], [5, 6, 7]));
  });
});

describe('reductions and selection', () => {
  const x = noise(3, 5);
  const named = f32('x', ['rows', 5]);

  test('sum over any axes', async () => {
    const rows = await evaluate(t.sum(named, [1], true), { x });
    expectClose(
      rows,
      build([3, 1], ([r = 0]) => [0, 1, 2, 3, 4].reduce((s, c) => s + pick(x, [r, c]), 0)),
    );
    const all = await evaluate(t.sum(named, [0, -1]), { x });
    expectClose(all, values([], [x.data.reduce((a, b) => a + b, 0)]));
  });

  test('mean, also over a named dimension', async () => {
    const columns = [0, 1, 2, 3, 4].map(c => [0, 1, 2].reduce((sum, r) => sum + pick(x, [r, c]) / 3, 0));
    expectClose(await evaluate(t.mean(named, [0], true), { x }), values([1, 5], columns));
    const all = x.data.reduce((a, b) => a + b, 0) / 15;
    expectClose(await evaluate(t.mean(named, [0, 1]), { x }), values([], [all]));
  });

  test('reduceMax and cumsum', async () => {
    const rows = [0, 1, 2].map(r => x.data.slice(5 * r, 5 * r + 5));
    const greatest = rows.map(row => Math.max(...row));
    expectClose(await evaluate(t.reduceMax(named, [-1]), { x }), values([3], greatest));
    const sums = rows.flatMap(row => row.map((_, c) => row.slice(0, c + 1).reduce((a, b) => a + b, 0)));
    expectClose(await evaluate(t.cumsum(named, 1), { x }), values([3, 5], sums));
    const rests = rows.flatMap(row => row.map((_, c) => row.slice(c).reduce((a, b) => a + b, 0)));
    expectClose(await evaluate(t.cumsum(named, 1, { reverse: true }), { x }), values([3, 5], rests));
  });

  test('oneHot marks the index', async () => {
    const marked = t.oneHot(t.input('ids', ['n'], 'i64'), 3);
    const expected = values([2, 3], [0, 0, 1, 1, 0, 0]);
    expectClose(await evaluate(marked, { ids: values([2], [2, 0]) }, { ids: 'int64' }), expected);
  });

  test('softmax of the last axis, and its logarithm', async () => {
    expectClose(await evaluate(t.softmax(named), { x }), softmax(x));
    expectClose(await evaluate(t.logSoftmax(named), { x }), map(softmax(x), Math.log));
  });

  test('split gives all parts, of lengths that are known now or when the graph runs', async () => {
    const [first, second] = t.split(t.input('x', [3, 5]), 1, [2, 3]);
    const [left, right] = t.split(t.input('x', ['a', 5]), 0, [1, 'b']);
    if (!first || !second || !left || !right) throw new Error('a split in two has two parts');
    expectClose(
      await evaluate(second, { x }),
      build([3, 3], ([r = 0, c = 0]) => pick(x, [r, c + 2])),
    );
    expectClose(
      await evaluate(first, { x }),
      build([3, 2], ([r = 0, c = 0]) => pick(x, [r, c])),
    );
    const rest = t.add(right, t.mul(t.input('y', ['b', 1]), 0));
    expectClose(
      await evaluate(rest, { x, y: noise(2, 1) }),
      build([2, 5], ([r = 0, c = 0]) => pick(x, [r + 1, c])),
    );
  });

  test('matmulByToken multiplies each head by its own part of every token', async () => {
    const [heads, tokens, size] = [2, 4, 5];
    for (const [times, rows] of [
      [3, 1],
      [1, 3],
    ] as const) {
      const keys = noise(tokens, heads, 1, size);
      const [query, share] = [noise(heads, times, rows, size), noise(heads, times, rows, tokens)];
      const cache = t.input('keys', ['tokens', heads, 1, size]);
      expectClose(
        await evaluate(t.matmulByToken(t.input('query', [heads, times, rows, size]), cache, { transB: true }), {
          query,
          keys,
        }),
        build([heads, times, rows, tokens], ([h = 0, i = 0, r = 0, token = 0]) =>
          sumOf(size, j => pick(query, [h, i, r, j]) * pick(keys, [token, h, 0, j])),
        ),
      );
      expectClose(
        await evaluate(t.matmulByToken(t.input('share', [heads, times, rows, 'tokens']), cache), { share, keys }),
        build([heads, times, rows, size], ([h = 0, i = 0, r = 0, j = 0]) =>
          sumOf(tokens, token => pick(share, [h, i, r, token]) * pick(keys, [token, h, 0, j])),
        ),
      );
    }
  });

  test('topK gives the greatest and where they are', async () => {
    const { values: greatest, indices } = t.topK(named, 2);
    const order = (r: number) => [0, 1, 2, 3, 4].toSorted((a, b) => pick(x, [r, b]) - pick(x, [r, a]));
    expectClose(
      await evaluate(indices, { x }),
      build([3, 2], ([r = 0, k = 0]) => order(r)[k] ?? NaN),
    );
    expectClose(
      await evaluate(greatest, { x }),
      build([3, 2], ([r = 0, k = 0]) => pick(x, [r, order(r)[k] ?? NaN])),
    );
  });

  test('gather along any axis', async () => {
    const ids = { ids: values([2, 2], [2, 0, 1, 1]) };
    const rows = await evaluate(
      t.gather(t.constant(Float32Array.from(x.data), [3, 5]), t.input('ids', ['a', 'b'], 'i64')),
      ids,
      { ids: 'int64' },
    );
    expectClose(
      rows,
      build([2, 2, 5], ([a = 0, b = 0, c = 0]) => pick(x, [pick(ids.ids, [a, b]), c])),
    );
    const columns = await evaluate(t.gather(named, t.integers([4, 1]), 1), { x });
    expectClose(
      columns,
      build([3, 2], ([r = 0, k = 0]) => pick(x, [r, [4, 1][k] ?? 0])),
    );
  });

  test('rows found by nonZero are gathered, changed and added back, also when there are none', async () => {
    const chosen = f32('chosen', ['rows']);
    const found = t.reshape(t.nonZero(chosen, 'found'), ['found']);
    const back = t.scatterAdd(named, found, t.mul(t.gather(named, found), 10), { distinct: true });
    for (const marks of [
      [1, 0, 1],
      [0, 0, 0],
    ]) {
      const result = await evaluate(back, { x, chosen: values([3], marks) });
      expectClose(
        result,
        build([3, 5], ([r = 0, c = 0]) => pick(x, [r, c]) * (marks[r] ? 11 : 1)),
      );
    }
  });

  test('scatterAdd loses nothing where many rows land on few, also with several threads', async () => {
    const n = 20_000;
    const ids = values(
      [n],
      Array.from({ length: n }, (_, i) => (i * 7) % 3),
    );
    const added = values(
      [n, 16],
      Array.from({ length: n * 16 }, (_, i) => i % 5),
    );
    const summed = t.scatterAdd(t.filled([3, 16], 0), t.input('ids', ['n'], 'i64'), f32('rows', ['n', 16]));
    const expected = Array.from({ length: 3 * 16 }, () => 0);
    added.data.forEach((value, i) => {
      const place = 16 * (ids.data[Math.floor(i / 16)] ?? 0) + (i % 16);
      expected[place] = (expected[place] ?? 0) + value;
    });
    expectClose(await evaluate(summed, { ids, rows: added }, { ids: 'int64' }), values([3, 16], expected), 0);
  });

  test('scatterAdd adds up what lands on one row', async () => {
    const back = t.scatterAdd(named, t.integers([1, 1]), t.constant(new Float32Array(10).fill(1), [2, 5]));
    expectClose(
      await evaluate(back, { x }),
      build([3, 5], i => pick(x, i) + (i[0] === 1 ? 2 : 0)),
    );
  });
});

test('matmul with either operand transposed, scaled, and with leading axes', async () => {
  const sizes = fc.integer({ min: 1, max: 5 });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      sizes,
      sizes,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      async (m, k, n, transA, transB, batched) => {
        const lead = batched ? [2] : [];
        const [a, b] = [noise(...lead, m, k), map(noise(...lead, k, n), x => x / 2)];
        const [x, y] = [transA ? swapped(a) : a, transB ? swapped(b) : b];
        const alpha = transA ? 0.5 : 1;
        const whole = t.matmul(f32('x', x.shape), f32('y', y.shape), { transA, transB, alpha });
        expectClose(await evaluate(whole, { x, y }), product(a, b, alpha));
      },
    ),
    { numRuns: 30 },
  );
});

describe('errors name the operator and both shapes', () => {
  const a = f32('a', ['batch', 'tokens', 384]);
  test.each([
    [() => t.add(a, f32('b', [385])), 'add: shapes [batch, tokens, 384] and [385] do not broadcast (384 against 385)'],
    [
      () => t.add(a, f32('b', ['heads', 384])),
      'add: shapes [batch, tokens, 384] and [heads, 384] do not broadcast (tokens against heads)',
    ],
    [
      () => t.matmul(a, f32('b', [768, 384])),
      'matmul: [batch, tokens, 384] and [768, 384] do not fit (384 against 768)',
    ],
    [() => t.matmul(a, t.integers([1, 2], [1, 2])), 'matmul: f32 [batch, tokens, 384] with i64 [1, 2]'],
    [() => t.reshape(a, ['batch', 384]), 'reshape: [batch, tokens, 384] has not the elements of [batch, 384]'],
    [() => t.transpose(a, [0, 1]), 'transpose: [0, 1] permutes not the axes of [batch, tokens, 384]'],
    [() => t.slice(a, 2, { start: 380, length: 5 }), 'slice: 380 + 5 is beyond axis 2 of [batch, tokens, 384]'],
    [
      () => t.concat([a, f32('b', ['batch', 'other', 1])], 2),
      'concat: f32 [batch, other, 1] behind f32 [batch, tokens, 384] along axis 2',
    ],
    [() => t.gather(a, f32('b', [1])), 'gather: indices are integers, not f32'],
    [() => t.sum(a, [3]), 'sum: shape [batch, tokens, 384] has no axis 3'],
    [() => t.pad(a, 2, { start: 2, length: 385 }), 'pad: [batch, tokens, 384] from 2 is beyond 385 along axis 2'],
    [() => t.where(a, 1, 0), 'where: a condition is bool, not f32 [batch, tokens, 384]'],
    [() => t.oneHot(a, 3), 'oneHot: indices are integers, not f32'],
    [() => t.split(a, 2, [300, 80]), 'split: [300, 80] do not add up to 384'],
    [
      () => t.matmulByToken(f32('q', [3, 2, 1, 8]), f32('k', [5, 3, 1, 4])),
      'matmulByToken: [3, 2, 1, 8] and [5, 3, 1, 4] do not fit',
    ],
    [() => t.topK(a, 400), 'topK: 400 of the last axis of [batch, tokens, 384]'],
    [() => t.constant(new Float32Array(3), [2]), 'constant: 3 values for shape [2]'],
    [
      () => t.parameter('w', [2, 2], { data: { file: 'f', offset: 0, bytes: 8 } }),
      'parameter w: shape [2, 2] of f32 is 16 bytes, not 8',
    ],
  ])('%#', (wrong, message) => {
    expect(wrong).toThrow(message);
  });
});

test('a product of dimensions is the same however it is written', () => {
  const dimension = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom('batch', 'tokens', 'heads'));
  fc.assert(
    fc.property(fc.array(dimension, { maxLength: 6 }), fc.integer({ min: 0, max: 5 }), (shape, cut) => {
      const parts = [productOf(shape.slice(0, cut)), productOf(shape.slice(cut))];
      expect(productOf(parts.toReversed())).toBe(productOf(shape));
    }),
  );
});

test('broadcasting does not depend on the order', () => {
  const shape = fc.array(fc.constantFrom<(number | string)[]>(1, 2, 'batch'), { maxLength: 3 });
  fc.assert(
    fc.property(shape, shape, (a, b) => {
      const either = (x: typeof a, y: typeof a) => {
        try {
          return broadcast('add', x, y);
        } catch {
          return 'error';
        }
      };
      expect(either(a, b)).toEqual(either(b, a));
    }),
  );
});

describe('texts', () => {
  const texts = ['2024-01-02', '', 'b-2'];
  const asTexts = async (output: Tensor) => {
    const session = await InferenceSession.create(toOnnx({ output }));
    const result = await session.run({ x: new OrtTensor('string', texts, [3]) });
    await session.release();
    return result['output'];
  };
  const x = t.input('x', ['rows'], 'string');

  test('codes are looked up in a table', async () => {
    const found = await asTexts(t.codes(x, { keys: ['b-2', ''], values: [5, 7], otherwise: 9 }));
    expect(numbersOf(found)).toEqual([9, 7, 5]);
  });

  test('a pattern must match the whole text', async () => {
    const found = await asTexts(t.cast(t.matches(x, String.raw`\w-\d`), 'i32'));
    expect(numbersOf(found)).toEqual([0, 0, 1]);
  });

  test('texts are split, and filled up with empty ones', async () => {
    const found = await asTexts(t.splitText(x, '-', 2));
    expect(found?.dims).toEqual([3, 2]);
    expect(found?.data).toEqual(['2024', '01', '', '', 'b', '2']);
  });

  test('texts are joined, chosen and read as numbers', async () => {
    const first = t.where(t.matches(x, 'b.*'), x, t.strings(['a'], []));
    expect((await asTexts(t.join(t.join('<', first), '>')))?.data).toEqual(['<a>', '<a>', '<b-2>']);
    const read = await asTexts(t.cast(t.join('4', t.where(t.matches(x, ''), x, t.strings(['.5']))), 'f64'));
    expect(numbersOf(read)).toEqual([4.5, 4, 4.5]);
  });

  test('what takes texts refuses numbers', () => {
    expect(() => t.join(f32('y', [2]), '')).toThrow('join: takes texts, not f32 [2]');
  });
});

test('numbers that are none, and whole numbers below', async () => {
  const x = f32('x', [3]);
  const session = await InferenceSession.create(toOnnx({ none: t.cast(t.isNaN(x), 'i32'), below: t.floor(x) }));
  const { none, below } = await session.run({ x: new OrtTensor('float32', Float32Array.of(NaN, -1.5, 2), [3]) });
  await session.release();
  expect(numbersOf(none)).toEqual([1, 0, 0]);
  expect(numbersOf(below).slice(1)).toEqual([-2, 2]);
});

const numbersOf = (tensor: OrtTensor | undefined): number[] =>
  Array.from<unknown, number>((tensor?.data ?? []) as ArrayLike<unknown>, Number);

/** Of the values at 0 to length − 1. */
function sumOf(length: number, of: (i: number) => number): number {
  return Array.from({ length }, (_, i) => of(i)).reduce((a, b) => a + b, 0);
}

// Every fused operator, run in ONNX Runtime, against the plain arithmetic that it stands for.
import { describe, expect, test } from 'vitest';
import * as fused from './fused.ts';
import { constant, div, input, integers, mul, reshape } from './operators.ts';
import {
  build,
  evaluate,
  expectClose,
  gelu,
  geluByTanh,
  last,
  layerNorm,
  map,
  noise,
  pick,
  product,
  softmax,
  swapped,
  type Values,
  values,
} from './testing.ts';

const f32 = (name: string, shape: readonly (number | string)[]) => input(name, shape);
const sequence = (name: string, hidden: number, tokens = 'tokens') => f32(name, ['batch', tokens, hidden]);

describe('norms and activations', () => {
  const [x, skip, scale, shift, bias] = [
    noise(2, 3, 8),
    noise(2, 3, 8),
    noise(8),
    map(noise(8), v => v / 2),
    map(noise(8), v => 1 - v),
  ];
  const weights = { scale: f32('scale', [8]), shift: f32('shift', [8]) };

  test('layerNorm, with and without a shift', async () => {
    const whole = fused.layerNorm(sequence('x', 8), weights, 1e-5);
    expectClose(await evaluate(whole, { x, scale, shift }), layerNorm(x, scale, shift, 1e-5));
    const bare = fused.layerNorm(sequence('x', 8), { scale: weights.scale }, 1e-12);
    expectClose(
      await evaluate(bare, { x, scale }),
      layerNorm(
        x,
        scale,
        map(shift, () => 0),
        1e-12,
      ),
    );
  });

  test('rmsNorm divides by the root of the mean square', async () => {
    const whole = fused.rmsNorm(sequence('x', 8), weights.scale, 1e-5);
    const root = (i: number[]) =>
      Math.sqrt(Array.from({ length: 8 }, (_, c) => pick(x, i.with(2, c)) ** 2 / 8).reduce((a, b) => a + b, 1e-5));
    expectClose(
      await evaluate(whole, { x, scale }),
      build(x.shape, i => (pick(x, i) / root(i)) * pick(scale, i)),
    );
  });

  test('standardize gives what norms scale, and the inverse deviation', async () => {
    const [one, none] = [map(scale, () => 1), map(scale, () => 0)];
    const { values: centred, inverse } = fused.standardize(sequence('x', 8), { epsilon: 1e-5, center: true });
    const expected = layerNorm(x, one, none, 1e-5);
    expectClose(await evaluate(centred, { x }), expected);
    const mean = (i: number[]) =>
      Array.from({ length: 8 }, (_, c) => pick(x, i.with(2, c)) / 8).reduce((a, b) => a + b, 0);
    expectClose(
      await evaluate(inverse, { x }),
      build([2, 3, 1], i => pick(expected, i.with(2, 0)) / (pick(x, i.with(2, 0)) - mean(i))),
      1e-4,
    );
    const plain = fused.standardize(sequence('x', 8), { epsilon: 1e-5, center: false });
    const whole = mul(plain.values, div(1, plain.inverse));
    expectClose(await evaluate(whole, { x }), x);
  });

  test('softmaxCrossEntropy is the negative logarithm of the label’s probability', async () => {
    const losses = fused.softmaxCrossEntropy(sequence('x', 8), input('labels', ['batch', 'tokens'], 'i64'));
    const labels = values([2, 3], [0, 7, 3, 3, 1, 5]);
    expectClose(
      await evaluate(losses, { x, labels }, { labels: 'int64' }),
      build([2, 3], i => -Math.log(pick(softmax(x), [...i, pick(labels, i)]))),
    );
  });

  test('skipLayerNorm is the norm of the sum', async () => {
    const whole = fused.skipLayerNorm(
      { x: sequence('x', 8), skip: sequence('skip', 8), bias: f32('bias', [8]) },
      weights,
      1e-5,
    );
    const sum = build(x.shape, i => pick(x, i) + pick(skip, i) + pick(bias, i));
    expectClose(await evaluate(whole, { x, skip, bias, scale, shift }), layerNorm(sum, scale, shift, 1e-5));
  });

  test.each([
    ['biasGelu', () => fused.biasGelu(sequence('x', 8), f32('bias', [8])), gelu],
    ['fastGelu', () => fused.fastGelu(sequence('x', 8), f32('bias', [8])), geluByTanh],
  ])('%s adds the bias first', async (_, operator, of) => {
    expectClose(
      await evaluate(operator(), { x, bias }),
      build(x.shape, i => of(pick(x, i) + pick(bias, i))),
    );
  });

  test('fastGelu without a bias', async () => {
    expectClose(await evaluate(fused.fastGelu(sequence('x', 8)), { x }), map(x, geluByTanh));
  });
});

describe('multiHeadAttention', () => {
  const heads = 2;
  const [query, key, value] = [noise(2, 3, 8), noise(2, 5, 8), noise(2, 5, 12)];
  const operands = {
    query: sequence('query', 8),
    key: sequence('key', 8, 'keys'),
    value: sequence('value', 12, 'keys'),
  };

  /** [batch, heads, tokens, size] of [batch, tokens, heads · size]. */
  const split = (x: Values): Values => {
    const size = last(x.shape) / heads;
    return build([x.shape[0] ?? 0, heads, x.shape[1] ?? 0, size], ([b = 0, h = 0, s = 0, i = 0]) =>
      pick(x, [b, s, h * size + i]),
    );
  };
  const attend = (scale: number, change: (score: number, index: number[]) => number = score => score): Values => {
    const scores = product(split(query), swapped(split(key)), scale);
    const out = product(softmax(build(scores.shape, i => change(pick(scores, i), i))), split(value));
    const size = last(out.shape);
    return build([2, 3, heads * size], ([b = 0, s = 0, i = 0]) => pick(out, [b, Math.floor(i / size), s, i % size]));
  };

  test('attends head by head, with values of another size', async () => {
    const whole = fused.multiHeadAttention(operands, { heads });
    expectClose(await evaluate(whole, { query, key, value }), attend(1 / 2));
    expectClose(
      await evaluate(fused.multiHeadAttention(operands, { heads, scale: 0.3 }), { query, key, value }),
      attend(0.3),
    );
  });

  test('sees no key that the mask hides', async () => {
    const mask = values([2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
    const whole = fused.multiHeadAttention({ ...operands, mask: input('mask', ['batch', 'keys'], 'i32') }, { heads });
    const hidden = attend(1 / 2, (score, [b = 0, , , k = 0]) => (pick(mask, [b, k]) ? score : -1e4));
    expectClose(await evaluate(whole, { query, key, value, mask }, { mask: 'int32' }), hidden);
  });

  test('adds the attention bias to the scores of every text', async () => {
    const bias = noise(1, heads, 3, 5);
    const whole = fused.multiHeadAttention(
      { ...operands, attentionBias: f32('bias', [1, heads, 'tokens', 'keys']) },
      { heads },
    );
    const biased = attend(1 / 2, (score, [, h = 0, q = 0, k = 0]) => score + pick(bias, [0, h, q, k]));
    expectClose(await evaluate(whole, { query, key, value, bias }), biased);
  });

  test("adds the projections' bias", async () => {
    const bias = noise(24);
    const same = { query: noise(2, 3, 8), key: noise(2, 3, 8), value: noise(2, 3, 8) };
    const shifted = (x: Values, from: number) => build(x.shape, i => pick(x, i) + (bias.data[from + (i[2] ?? 0)] ?? 0));
    const plain = { query: sequence('query', 8), key: sequence('key', 8), value: sequence('value', 8) };
    const whole = fused.multiHeadAttention({ ...plain, bias: f32('bias', [24]) }, { heads });
    const moved = { query: shifted(same.query, 0), key: shifted(same.key, 8), value: shifted(same.value, 16) };
    const expected = await evaluate(fused.multiHeadAttention(plain, { heads }), moved);
    expectClose(await evaluate(whole, { ...same, bias }), expected);
  });
});

test.each([
  [0, null],
  [4, null],
  [4, 3],
])('groupQueryAttention behind %i rows sees what came before (window: %s)', async (before, window) => {
  const [tokens, heads, keyValueHeads, size] = [3, 4, 2, 8];
  const query = noise(1, tokens, heads * size);
  const [key, value] = [noise(1, tokens, keyValueHeads * size), noise(1, tokens, keyValueHeads * size)];
  const [pastKey, pastValue] = [noise(1, keyValueHeads, before, size), noise(1, keyValueHeads, before, size)];
  const past = (name: string) => f32(name, [1, keyValueHeads, 'past', size]);
  const { attended } = fused.groupQueryAttention(
    {
      query: f32('query', [1, 'tokens', heads * size]),
      key: f32('key', [1, 'tokens', keyValueHeads * size]),
      value: f32('value', [1, 'tokens', keyValueHeads * size]),
      pastKey: past('pastKey'),
      pastValue: past('pastValue'),
    },
    { heads, keyValueHeads, scale: 0.5, window },
  );
  const row = (old: Values, fresh: Values, [head, at, i]: readonly [number, number, number]) =>
    at < before ? pick(old, [0, head, at, i]) : pick(fresh, [0, at - before, head * size + i]);
  const expected = build(query.shape, ([, token = 0, place = 0]) => {
    const [head, own] = [Math.floor(place / size), before + token];
    const shared = Math.floor(head / (heads / keyValueHeads));
    const seen = Array.from({ length: own + 1 }, (_, at) => at).filter(at => window === null || own - at < window);
    const shares = seen.map(at =>
      Math.exp(
        0.5 *
          Array.from({ length: size }, (_, i) => {
            return pick(query, [0, token, head * size + i]) * row(pastKey, key, [shared, at, i]);
          }).reduce((a, b) => a + b, 0),
      ),
    );
    const total = shares.reduce((a, b) => a + b, 0);
    return seen.reduce(
      (sum, at, i) => sum + ((shares[i] ?? 0) / total) * row(pastValue, value, [shared, at, place % size]),
      0,
    );
  });
  expectClose(await evaluate(attended, { query, key, value, pastKey, pastValue }), expected);
});

test.each([false, true])(
  'rotaryEmbedding turns pairs by the angle of their position (interleaved: %s)',
  async interleaved => {
    const [heads, half, longest] = [2, 2, 6];
    const x = noise(2, 3, heads * half * 2);
    const angles = build([longest, half], ([p = 0, i = 0]) => p / (1 + 3 * i));
    const [cosines, sines] = [map(angles, Math.cos), map(angles, Math.sin)].map(table =>
      constant(Float32Array.from(table.data), [longest, half]),
    );
    if (!cosines || !sines) throw new Error('no tables');
    for (const positions of [integers([0]), integers([0, 1, 2, 3, 4, 5], [2, 3])]) {
      const whole = fused.rotaryEmbedding(sequence('x', 8), { positions, cosines, sines }, { heads, interleaved });
      const expected = build(x.shape, ([b = 0, s = 0, at = 0]) => {
        const [start, i] = [at - (at % 4), at % 4];
        const pair = interleaved ? Math.floor(i / 2) : i % half;
        const second = interleaved ? i % 2 === 1 : i >= half;
        const partner = interleaved ? (second ? i - 1 : i + 1) : (i + half) % 4;
        const angle = pick(angles, [positions.shape.length === 2 ? 3 * b + s : s, pair]);
        const [own, other] = [pick(x, [b, s, at]), pick(x, [b, s, start + partner])];
        return own * Math.cos(angle) + (second ? other : -other) * Math.sin(angle);
      });
      expectClose(await evaluate(whole, { x }), expected);
    }
  },
);

describe('weights in blocks of 4 bits', () => {
  const [rows, columns, blockSize] = [6, 64, 32];
  const bytes = Uint8Array.from({ length: (rows * columns) / 2 }, (_, i) => (i * 73 + 11) % 256);
  const scales = map(noise(rows, columns / blockSize), v => v / 8);
  const plain = build([rows, columns], ([r = 0, c = 0]) => {
    const byte = bytes[(r * columns + c) >> 1] ?? 0;
    return ((c % 2 ? byte >> 4 : byte & 15) - 8) * pick(scales, [r, Math.floor(c / blockSize)]);
  });
  const scaleTensor = constant(Float32Array.from(scales.data), [rows, columns / blockSize]);
  const blocks = (shape: number[]) => ({
    values: constant(bytes, shape),
    scales: scaleTensor,
    bits: 4 as const,
    blockSize,
  });

  test.each([
    [0, 1e-5],
    [4, 0.05],
  ] as const)('matmulNBits at accuracy level %i multiplies by them', async (accuracyLevel, tolerance) => {
    const [x, bias] = [noise(2, 3, columns), noise(rows)];
    const weight = blocks([rows, columns / blockSize, blockSize / 2]);
    const whole = fused.matmulNBits(sequence('x', columns), weight, { accuracyLevel, bias: f32('bias', [rows]) });
    const exact = product(values([6, columns], x.data), swapped(plain));
    const expected = build([2, 3, rows], ([b = 0, s = 0, r = 0]) => pick(exact, [3 * b + s, r]) + pick(bias, [r]));
    expectClose(await evaluate(whole, { x, bias }), expected, tolerance);
  });

  test('matmulNBits takes zero points', async () => {
    const zeros = constant(Uint8Array.from({ length: rows }, (_, i) => 16 * (i + 3) + 2 * i));
    const weight = { ...blocks([rows, columns / blockSize, blockSize / 2]), zeros: reshape(zeros, [rows, 1]) };
    const shifted = build([rows, columns], ([r = 0, c = 0]) => {
      const block = Math.floor(c / blockSize);
      return pick(plain, [r, c]) + (8 - (block === 0 ? (2 * r) & 15 : r + 3)) * pick(scales, [r, block]);
    });
    const x = noise(1, 3, columns);
    const exact = product(values([3, columns], x.data), swapped(shifted));
    const whole = fused.matmulNBits(sequence('x', columns), weight);
    expectClose(await evaluate(whole, { x }), values([1, 3, rows], exact.data), 1e-5);
  });

  test('gatherBlockQuantized looks rows up', async () => {
    const whole = fused.gatherBlockQuantized(blocks([rows, columns / 2]), input('ids', ['batch', 'tokens'], 'i64'));
    const ids = values([1, 3], [5, 0, 2]);
    expectClose(
      await evaluate(whole, { ids }, { ids: 'int64' }),
      build([1, 3, columns], ([, s = 0, c = 0]) => pick(plain, [ids.data[s] ?? 0, c])),
    );
  });
});

describe('weights in rows of whole numbers of 8 bits', () => {
  const [rows, columns] = [6, 64];
  const whole = Int8Array.from({ length: rows * columns }, (_, i) => ((i * 73 + 11) % 255) - 127);
  const scales = map(noise(rows), v => v / 64);
  const plain = build([rows, columns], ([r = 0, c = 0]) => (whole[r * columns + c] ?? 0) * pick(scales, [r]));
  const weight = {
    values: constant(
      Int8Array.from(whole, (_, i) => whole[(i % rows) * columns + Math.floor(i / rows)] ?? 0),
      [columns, rows],
    ),
    transposed: constant(whole, [rows, columns]),
    scales: constant(Float32Array.from(scales.data), [rows]),
  };

  test('matmulInt8 multiplies by them, each row with its own precision', async () => {
    // A large row beside a small one and one of zeros.
    const x = build([2, 3, columns], ([, s = 0, c = 0]) => (s === 0 ? 1000 : s === 1 ? 1 : 0) * Math.sin(7 * c + s));
    const exact = product(values([6, columns], x.data), swapped(plain));
    const found = await evaluate(fused.matmulInt8(sequence('x', columns), weight), { x });
    const limit = (s: number) => ((s === 0 ? 1000 : 1) * columns * 2) / 15_876;
    for (const [i, value] of found.data.entries())
      expect(Math.abs(value - (exact.data[i] ?? NaN)) <= limit(Math.floor(i / rows) % 3)).toBe(true);
  });

  test('matmulInt8 of what a norm gives has one unit for all rows', async () => {
    const scale = map(noise(columns), v => v / 2);
    // One of two rows has all of its length in one place.
    const x = build([1, 2, columns], ([, s = 0, c = 0]) => (s === 0 ? (c === 3 ? 5 : 0) : Math.sin(7 * c)));
    const norm = fused.rmsNorm(sequence('x', columns), f32('scale', [columns]), 1e-6);
    const normed = await evaluate(norm, { x, scale });
    const exact = product(values([2, columns], normed.data), swapped(plain));
    const found = await evaluate(fused.matmulInt8(norm, weight), { x, scale });
    const largest = Math.sqrt(columns) * Math.max(...scale.data.map(Math.abs));
    for (const [i, value] of found.data.entries())
      expect(Math.abs(value - (exact.data[i] ?? NaN))).toBeLessThan((largest * columns * 2) / 15_876);
  });

  test('matmulInt8 with a unit rounds once and cuts off', async () => {
    const x = build([2, 3, columns], ([, s = 0, c = 0]) => 3 * Math.sin(7 * c + s) + (c === 5 ? 100 * (s - 1) : 0));
    const rounded = map(x, value => Math.min(127, Math.max(-128, Math.round(value * 32))) / 32);
    const exact = product(values([6, columns], rounded.data), swapped(plain));
    const found = await evaluate(fused.matmulInt8(sequence('x', columns), weight, { unit: 1 / 32 }), { x });
    expectClose(found, values([2, 3, rows], exact.data), 1e-4);
  });

  test('matmulInt8 does not overflow where all numbers are the largest', async () => {
    const most = { values: constant(new Int8Array(64).fill(127), [64, 1]) };
    const all = { ...most, transposed: constant(new Int8Array(64).fill(127), [1, 64]) };
    const x = build([1, 1, 64], () => 1);
    expectClose(await evaluate(fused.matmulInt8(sequence('x', 64), all), { x }), values([1, 1, 1], [64 * 127]), 0.01);
  });
});

describe('errors name the operator and the shapes', () => {
  const x = sequence('x', 8);
  const table = {
    values: constant(new Uint8Array(64), [2, 2, 16]),
    scales: constant(new Float32Array(4), [2, 2]),
    bits: 4 as const,
    blockSize: 32,
  };
  test.each([
    [() => fused.biasGelu(x, f32('b', [9])), 'biasGelu: a weight is [9], not [8]'],
    [() => fused.layerNorm(x, { scale: f32('g', [1, 8]) }, 1e-5), 'layerNorm: a weight is [1, 8], not [8]'],
    [
      () => fused.multiHeadAttention({ query: x, key: x, value: x }, { heads: 3 }),
      'multiHeadAttention: 3 heads do not divide [batch, tokens, 8]',
    ],
    [
      () => fused.multiHeadAttention({ query: x, key: x, value: x, mask: f32('m', ['batch', 'tokens']) }, { heads: 2 }),
      'multiHeadAttention: f32 [batch, tokens] where i32 [batch, tokens] belongs',
    ],
    [() => fused.matmulNBits(x, table), 'matmulNBits: [batch, tokens, 8] against weight [2, 64]'],
    [
      () => fused.gatherBlockQuantized(table, integers([0])),
      'gatherBlockQuantized: values [2, 2, 16] are not rows of bytes',
    ],
  ])('%#', (wrong, message) => {
    expect(wrong).toThrow(message);
  });
});

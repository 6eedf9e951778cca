// Every rule by random inner products: (gradient, direction) against the difference of the function along the direction.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpoint, recalled, repeat } from './control.ts';
import { inOrder, type Tensor } from './expression.ts';
import * as fused from './fused.ts';
import { gradients, RULES } from './gradients.ts';
import * as t from './operators.ts';
import type { Dimension, Shape } from './shape.ts';
import { evaluate, expectClose, prepare, type Values, values } from './testing.ts';

/** Three lengths, as numbers or as names that the run gives lengths. */
interface Sizes {
  m: Dimension;
  k: number;
  n: Dimension;
}
interface Case {
  shapes: (sizes: Sizes) => Shape[];
  /** Where the operands lie: anywhere, above 0.5, or at least 0.1 from each other and from 0, for functions with kinks. */
  values?: 'positive' | 'separate';
  of: (operands: readonly Tensor[], sizes: Sizes) => Tensor;
}

const one = (of: (x: Tensor) => Tensor, kind?: Case['values']): Case => ({
  shapes: ({ m, k }) => [[m, k]],
  of: ([x]) => of(must(x)),
  ...(kind && { values: kind }),
});
const two = (of: (a: Tensor, b: Tensor) => Tensor, kind?: Case['values']): Case => ({
  shapes: ({ m, k, n }) => [
    [n, m, k],
    [m, 1],
  ],
  of: ([a, b]) => of(must(a), must(b)),
  ...(kind && { values: kind }),
});
const must = (x: Tensor | undefined): Tensor => {
  if (!x) throw new Error('an operand is missing');
  return x;
};

const product = (transA: boolean, transB: boolean): Record<string, Case> => ({
  [`matmul ${transA} ${transB}`]: {
    shapes: ({ m, k, n }) => [transA ? [k, m] : [m, k], transB ? [n, k] : [k, n]],
    of: ([a, b]) => t.matmul(must(a), must(b), { transA, transB, alpha: 0.5 }),
  },
  [`matmul ${transA} ${transB} of batches`]: {
    shapes: ({ m, k, n }) => [transA ? [2, m, k, n] : [2, m, n, k], transB ? [m, 3, k] : [m, k, 3]],
    of: ([a, b]) => t.matmul(must(a), must(b), { transA, transB }),
  },
  [`matmul ${transA} ${transB} of batches by one weight`]: {
    shapes: ({ m, k, n }) => [transA ? [n, k, m] : [n, m, k], transB ? [3, k] : [k, 3]],
    of: ([a, b]) => t.matmul(must(a), must(b), { transA, transB, alpha: 2 }),
  },
});

/** A frozen weight [3, 64] in blocks of 32. */
const quantised = (bits: 4 | 8, withZeros = false): Case => ({
  shapes: ({ m, n }) => [[n, m, 64], [3]],
  of: ([x, bias]) => {
    const bytes = Uint8Array.from({ length: 3 * 8 * bits }, (_, i) => (i * 37 + 11) % 256);
    const scales = Float32Array.from({ length: 6 }, (_, i) => (i + 1) / 2 ** bits);
    const weight = { values: t.constant(bytes, [3, 2, 4 * bits]), scales: t.constant(scales, [3, 2]) };
    const zeros = withZeros ? t.constant(Uint8Array.from([0x39, 0x84, 0x0f]), [3, 1]) : undefined;
    return fused.matmulNBits(must(x), { ...weight, zeros, bits, blockSize: 32 }, { bias });
  },
});

/** A frozen weight [3, 4] of whole numbers. */
const wholeNumbers: Case = {
  shapes: ({ m, n }) => [[n, m, 4]],
  of: ([x]) => {
    const rows = Int8Array.from({ length: 12 }, (_, i) => ((i * 37) % 255) - 127);
    const columns = Int8Array.from({ length: 12 }, (_, i) => rows[4 * (i % 3) + Math.floor(i / 3)] ?? 0);
    const scales = t.constant(Float32Array.from([0.0004, 0.0008, 0.0002]), [3]);
    return fused.matmulInt8(must(x), {
      values: t.constant(columns, [4, 3]),
      transposed: t.constant(rows, [3, 4]),
      scales,
    });
  },
};

const heads = 2;
const attention: Case = {
  shapes: ({ m, n, k }) => [
    [2, m, 2 * k],
    [2, n, 2 * k],
    [2, n, 4],
  ],
  of: ([query, key, value]) =>
    fused.multiHeadAttention({ query: must(query), key: must(key), value: must(value) }, { heads }),
};

const CASES: Record<string, Case> = {
  add: two(t.add),
  sub: two(t.sub),
  mul: two(t.mul),
  div: two(t.div, 'positive'),
  'div by the smaller': two((a, b) => t.div(b, a), 'positive'),
  max: two(t.max, 'separate'),
  min: two(t.min, 'separate'),
  pow: two(t.pow, 'positive'),
  'pow by a number': one(x => t.pow(x, 3)),
  addAll: two((a, b) => t.addAll(a, b, a)),
  where: two((a, b) => t.where(t.greater(a, 0), b, a), 'separate'),
  neg: one(t.neg),
  abs: one(t.abs, 'separate'),
  exp: one(t.exp),
  log: one(t.log, 'positive'),
  sqrt: one(t.sqrt, 'positive'),
  sin: one(t.sin),
  cos: one(t.cos),
  erf: one(t.erf),
  sigmoid: one(t.sigmoid),
  softplus: one(t.softplus),
  relu: one(t.relu, 'separate'),
  tanh: one(t.tanh),
  silu: one(t.silu),
  gelu: one(x => t.gelu(x)),
  'gelu by tanh': one(x => t.gelu(x, 'tanh')),
  selu: one(t.selu, 'separate'),
  mish: one(t.mish),
  cast: one(x => t.cast(t.square(t.cast(x, 'f64')), 'f32')),
  reshape: { shapes: ({ m, k }) => [[m, 2, k]], of: ([x], { m, k }) => t.square(t.reshape(must(x), [m, 2 * k])) },
  expand: { shapes: ({ m }) => [[m, 1]], of: ([x], { m, n, k }) => t.square(t.expand(must(x), [n, m, k])) },
  transpose: { shapes: ({ m, n, k }) => [[m, n, k]], of: ([x]) => t.square(t.transpose(must(x), [2, 0, 1])) },
  concat: {
    shapes: ({ m, k }) => [
      [m, k],
      [m, 2],
    ],
    of: ([a, b]) => t.square(t.concat([must(a), t.square(must(b)), must(a)], 1)),
  },
  slice: {
    shapes: ({ m, k }) => [[m, k + 3]],
    of: ([x], { k }) => t.square(t.slice(must(x), 1, { start: 2, length: k })),
  },
  pad: {
    shapes: ({ m, k }) => [[k, m]],
    of: ([x], { k }) => t.square(t.pad(must(x), 0, { start: 1, length: k + 3 })),
  },
  sum: { shapes: ({ m, n, k }) => [[m, n, k]], of: ([x]) => t.square(t.sum(must(x), [0, 2])) },
  'sum that keeps axes': { shapes: ({ m, n, k }) => [[m, n, k]], of: ([x]) => t.square(t.sum(must(x), [1], true)) },
  mean: { shapes: ({ m, n, k }) => [[m, n, k]], of: ([x]) => t.square(t.mean(must(x), [0, 1])) },
  reduceMax: { ...one(x => t.reduceMax(x, [1])), values: 'separate' },
  cumsum: one(x => t.square(t.cumsum(x, 0))),
  'cumsum from the end': one(x => t.square(t.cumsum(x, -1, { reverse: true }))),
  softmax: one(x => t.softmax(x)),
  'softmax of the first axis': one(x => t.softmax(x, 0)),
  logSoftmax: one(x => t.logSoftmax(x)),
  gather: {
    shapes: ({ m }) => [[5, m, 2]],
    of: ([x]) => t.square(t.gather(must(x), t.integers([3, 0, 3, 3, 1, 0], [2, 3]))),
  },
  'gather of a middle axis': {
    shapes: ({ m, n }) => [[n, 5, m, 2]],
    of: ([x]) => t.square(t.gather(must(x), t.integers([3, 0, 3, 3, 1, 0], [2, 3]), 1)),
  },
  'gather of one': {
    shapes: ({ m, n }) => [[n, m, 4]],
    of: ([x]) => t.square(t.gather(must(x), t.integers([2], []), 2)),
  },
  scatterAdd: {
    shapes: ({ m }) => [
      [4, m],
      [3, m],
    ],
    of: ([base, rows]) => t.square(t.scatterAdd(must(base), t.integers([2, 0, 2]), must(rows))),
  },
  ...product(false, false),
  ...product(true, false),
  ...product(false, true),
  ...product(true, true),
  softmaxCrossEntropy: {
    shapes: ({ m }) => [[m, 3, 5]],
    of: ([logits], { m }) =>
      fused.softmaxCrossEntropy(must(logits), t.cast(t.expand(t.integers([4, 0, 2]), [m, 3]), 'i64')),
  },
  layerNorm: {
    shapes: ({ m, n, k }) => [[m, n, k + 2], [k + 2], [k + 2]],
    of: ([x, scale, shift]) => fused.layerNorm(must(x), { scale: must(scale), shift: must(shift) }, 0.1),
  },
  rmsNorm: {
    shapes: ({ m, n, k }) => [[m, n, k + 2], [k + 2]],
    of: ([x, scale]) => fused.rmsNorm(must(x), must(scale), 0.1),
  },
  skipLayerNorm: {
    shapes: ({ m, n, k }) => [[m, n, k + 2], [n, k + 2], [k + 2], [k + 2], [k + 2]],
    of: ([x, skip, scale, shift, bias]) =>
      fused.skipLayerNorm({ x: must(x), skip: must(skip), bias }, { scale: must(scale), shift: must(shift) }, 0.1),
  },
  biasGelu: { shapes: ({ m, k }) => [[m, k], [k]], of: ([x, b]) => fused.biasGelu(must(x), must(b)) },
  fastGelu: { shapes: ({ m, k }) => [[m, k], [k]], of: ([x, b]) => fused.fastGelu(must(x), b) },
  multiHeadAttention: attention,
  'multiHeadAttention with everything': {
    shapes: sizes => [...attention.shapes(sizes), [4 * sizes.k + 4], [2, 1, sizes.m, sizes.n]],
    of: ([query, key, value, bias, attentionBias], { n }) =>
      fused.multiHeadAttention(
        {
          query: must(query),
          key: must(key),
          value: must(value),
          bias,
          attentionBias,
          mask: t.cast(t.expand(t.greater(2, t.range(n)), [2, n]), 'i32'),
        },
        { heads, scale: 0.3 },
      ),
  },
  rotaryEmbedding: {
    shapes: ({ m, k }) => [[2, m, 4 * k]],
    of: ([x], { m, k }) => {
      const angles = t.mul(
        t.reshape(t.cast(t.range(m), 'f32'), [m, 1]),
        t.constant(
          Float32Array.from({ length: k }, (_, i) => 1 / (i + 1)),
          [1, k],
        ),
      );
      const positions = t.expand(t.range(m), [2, m]);
      return t.square(
        fused.rotaryEmbedding(must(x), { positions, cosines: t.cos(angles), sines: t.sin(angles) }, { heads }),
      );
    },
  },
  matmulNBits: quantised(4),
  'matmulNBits of 8 bits': quantised(8),
  'matmulNBits with zero points': quantised(4, true),
  matmulInt8: wholeNumbers,
  recalled: {
    shapes: ({ m, n }) => [[m, n]],
    of: ([x]) => recalled(t.sin(must(x)), t.sin(t.add(must(x), 0))),
  },
  matmulByToken: {
    shapes: ({ m, n, k }) => [
      [2, m, 1, k],
      [n, 2, 1, k],
    ],
    of: ([a, b]) => t.matmulByToken(must(a), must(b), { transB: true }),
  },
  'matmulByToken of several rows': {
    shapes: ({ m, n, k }) => [
      [2, 1, m, n],
      [n, 2, 1, k],
    ],
    of: ([a, b]) => t.matmulByToken(must(a), must(b)),
  },
  checkpoint: two((a, b) => checkpoint(x => t.exp(t.mul(t.sin(must(x)), b)), t.square(a))),
};

describe('the gradient is that of the function', () => {
  test.each(Object.keys(CASES))('%s', async name => {
    const { shapes, of, values: kind } = CASES[name] ?? one(x => x);
    const sizes = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, sizes, fc.boolean(), fc.integer(), async (m, k, n, isNamed, seed) => {
        const lengths = new Map<Dimension, number>([
          ['m', m],
          ['n', n],
        ]);
        const drawn: Sizes = isNamed ? { m: 'm', k, n: 'n' } : { m, k, n };
        const operands = shapes(drawn).map((shape, i) => t.input(`x${i}`, shape));
        // A tensor that has the named lengths, whichever operands have them.
        const anchor = t.input('anchor', isNamed ? ['m', 'n'] : [m, n]);
        const result = t.add(of(operands, drawn), t.mul(t.sum(anchor, [0, 1]), 0));
        const weight = t.input('weight', result.shape);
        const loss = t.sum(
          t.mul(result, weight),
          result.shape.map((_, i) => i),
        );
        const found = gradients(loss, operands);
        const { run, release } = await prepare({ result, ...Object.fromEntries(found.map((g, i) => [`g${i}`, g])) });
        const random = generator(seed);
        const concrete = (shape: Shape) => shape.map(d => (typeof d === 'number' ? d : (lengths.get(d) ?? 0)));
        const points = place(
          operands.map(({ shape }) => concrete(shape)),
          random,
          kind,
        );
        const directions = points.map(({ shape, data }) =>
          values(
            shape,
            data.map(() => 2 * random() - 1),
          ),
        );
        const empty = {
          anchor: values(
            [m, n],
            Array.from({ length: m * n }, () => 0),
          ),
        };
        const at = (h: number) =>
          Object.fromEntries(
            points.map(({ shape, data }, i) => [
              `x${i}`,
              values(
                shape,
                data.map((x, j) => x + h * (directions[i]?.data[j] ?? 0)),
              ),
            ]),
          );
        const shape = concrete(result.shape);
        const weights = values(
          shape,
          Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
        );
        const lossAt = async (h: number) =>
          inner((await run({ ...empty, weight: weights, ...at(h) }))['result'], weights);
        const slope = async (h: number) => ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
        // Richardson's extrapolation: an error of h⁴ instead of h², so that h need not be small against f32's rounding.
        const difference = (4 * (await slope(STEP / 2)) - (await slope(STEP))) / 3;
        const results = await run({ ...empty, weight: weights, ...at(0) });
        const parts = directions.map((direction, i) => inner(results[`g${i}`], direction));
        await release();
        const scale = 1 + parts.reduce((sum, part) => sum + Math.abs(part), 0);
        expect(Math.abs(parts.reduce((a, b) => a + b, 0) - difference) / scale).toBeLessThan(1e-3);
      }),
      { numRuns: 5 },
    );
  });

  test('there is a case for every operator with a rule', () => {
    const sizes: Sizes = { m: 2, k: 3, n: 2 };
    const built = Object.values(CASES).flatMap(({ shapes, of }) =>
      inOrder([
        of(
          shapes(sizes).map((shape, i) => t.input(`x${i}`, shape)),
          sizes,
        ),
      ]).map(({ op }) => op),
    );
    const withRule = Object.entries(RULES).flatMap(([op, rule]) => (typeof rule === 'function' ? [op] : []));
    // `after` appears within the gradient of a checkpoint only.
    expect(withRule.filter(op => op !== 'after' && !built.some(name => name === op))).toEqual([]);
  });
});

describe('only what is wanted is computed', () => {
  const x = t.input('x', ['batch', 4]);
  const [frozen, trained] = [t.input('frozen', [4, 4]), t.input('trained', [4, 4])];
  const loss = t.sum(t.matmul(t.tanh(t.matmul(x, frozen)), trained), [0, 1]);

  test('a frozen weight below the trained one costs nothing', () => {
    const [whole, pruned] = [gradients(loss, { frozen, trained }), gradients(loss, { trained })];
    expect(operators(pruned.trained).filter(op => op === 'matmul')).toHaveLength(2); // forward of the first, and dW
    expect(operators(whole.frozen).filter(op => op === 'matmul')).toHaveLength(3); // forward, and two products back
  });

  test('what the loss does not depend on has a gradient of zeros', async () => {
    const other = t.input('other', ['batch', 2]);
    const found = await evaluate(t.add(gradients(loss, other), t.mul(other, 0)), { other: values([1, 2], [1, 2]) });
    expectClose(found, values([1, 2], [0, 0]));
  });

  test('wanted tensors that depend on one another get total gradients', async () => {
    const a = t.input('a', [2]);
    const b = t.square(a);
    const found = gradients(t.sum(t.mul(b, 3), [0]), { a, b });
    const given = { a: values([2], [1, 2]) };
    expectClose(await evaluate(found.a, given), values([2], [6, 12]));
    expectClose(await evaluate(found.b), values([2], [3, 3]));
  });

  test('a gradient has a gradient', async () => {
    const a = t.input('a', [2]);
    const slope = gradients(t.sum(t.exp(t.square(a)), [0]), a);
    const curvature = await evaluate(gradients(t.sum(slope, [0]), a), { a: values([2], [0.5, -1]) });
    const expected = [0.5, -1].map(v => (2 + 4 * v * v) * Math.exp(v * v));
    expectClose(curvature, values([2], expected), 1e-4);
  });

  test('of equals the first takes the gradient, so that SELU has a slope at zero', async () => {
    const [a, b] = [t.input('a', [1]), t.input('b', [1])];
    const same = { a: values([1], [2]), b: values([1], [2]) };
    for (const operator of [t.max, t.min]) {
      const found = gradients(t.sum(operator(a, b), [0]), { a, b });
      expectClose(await evaluate(t.concat([found.a, found.b], 0), same), values([2], [1, 0]));
    }
    const slope = gradients(t.sum(t.selu(a), [0]), a);
    expectClose(await evaluate(slope, { a: values([1], [0]) }), values([1], [1.7580993408473766]));
  });

  test('gradients end where an expression says so, and where a result is not continuous', async () => {
    const a = t.input('a', [2]);
    const given = { a: values([2], [1, -2]) };
    const masked = t.mul(a, t.cast(t.greater(a, 0), 'f32'));
    expectClose(await evaluate(gradients(t.sum(masked, [0]), a), given), values([2], [1, 0]));
    const stopped = t.mul(a, t.stopGradient(a));
    expectClose(await evaluate(gradients(t.sum(stopped, [0]), a), given), values([2], [1, -2]));
  });
});

test('errors name the operator and what to do', () => {
  const x = t.input('x', ['batch', 4]);
  expect(() => gradients(x, x)).toThrow('gradients: a loss has one element, not [batch, 4]');
  const labels = t.integers([1]);
  expect(() => gradients(t.sum(x, [0, 1]), { x, labels })).toThrow('labels is i64 [1]; whole numbers have none');
  expect(() => gradients(t.sum(t.topK(x, 2).values, [0, 1]), x)).toThrow(
    'gradients: topK [batch, 2] has none: gather by its indices instead',
  );
  const weight = {
    values: t.constant(new Uint8Array(64), [4, 1, 16]),
    scales: t.constant(new Float32Array(4), [4, 1]),
  };
  const wide = t.input('wide', ['batch', 32]);
  const y = fused.matmulNBits(wide, { ...weight, bits: 4, blockSize: 32 });
  expect(() => gradients(t.sum(y, [0, 1]), weight.scales)).toThrow(
    'gradients: matmulNBits [batch, 4]: its weight is frozen; use matmul for one that is trained',
  );
  const table = t.cos(t.constant(new Float32Array(4), [4, 1]));
  const rotation = { positions: t.integers([0]), cosines: table, sines: table };
  const rotated = fused.rotaryEmbedding(t.input('q', [1, 4, 2]), rotation, { heads: 1 });
  expect(() => gradients(t.sum(rotated, [0, 1, 2]), table)).toThrow(
    'gradients: rotaryEmbedding [1, 4, 2]: nothing passes to its operand 2',
  );
  const { state } = repeat(3, x, before => ({ state: t.mul(before, 2), collect: [] }));
  expect(() => gradients(t.sum(state, [0, 1]), x)).toThrow(
    'gradients: loop [batch, 4] has none: take them within its body',
  );
});

const operators = (tensor: Tensor) => inOrder([tensor]).map(({ op }) => op);

const STEP = 0.06;

const inner = (a: Values | undefined, b: Values): number =>
  b.data.reduce((sum, x, i) => sum + x * (a?.data[i] ?? NaN), 0);

/** Numbers from 0 to 1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

function place(shapes: readonly number[][], random: () => number, kind: Case['values']): Values[] {
  const lengths = shapes.map(shape => shape.reduce((a, b) => a * b, 1));
  const all = lengths.reduce((a, b) => a + b, 0);
  const order = Array.from({ length: all }, (_, i) => ({ i, key: random() })).toSorted((a, b) => a.key - b.key);
  let next = 0;
  return shapes.map((shape, s) =>
    values(
      shape,
      Array.from({ length: lengths[s] ?? 0 }, () => {
        if (kind === 'positive') return 0.5 + random();
        if (kind === 'separate') return 0.3 * ((order[next++]?.i ?? 0) - Math.floor(all / 2) + 0.5);
        return 2 * random() - 1;
      }),
    ),
  );
}

// Where a decoder's cache of keys and values may lie: `node bench/llm/cache.ts`.
//
// Attention alone, 30 layers of SmolLM2-135M's shape, one new token, one text. The forms take turns within a round; the
// least time of all rounds is printed, since other work on a machine only ever adds.
import {
  addAll,
  concat,
  input,
  matmul,
  matmulByToken,
  multiHeadAttention,
  reshape,
  softmax,
  split,
  type Tensor,
  toOnnx,
} from '@vectorium/tensor';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';

const [LAYERS, GROUPS, KEYS, SIZE] = [30, 3, 3, 64] as const;
const CONTEXTS = [128, 512, 2048];
const ROUNDS = 8;

interface Form {
  name: string;
  /** The shape of one layer's cache of `rows` tokens. */
  shape: (rows: number | string) => (number | string)[];
  attend: (query: Tensor, key: Tensor, value: Tensor) => { context: Tensor; given?: Record<string, Tensor> };
}

const byHead = (rows: number | string) => [KEYS, rows, SIZE];
const forms: Form[] = [
  {
    name: 'outside, token by token, each query head alone',
    shape: rows => [rows, KEYS, 1, SIZE],
    attend: (query, key, value) => {
      const rows = reshape(query, [KEYS, GROUPS, 1, SIZE]);
      const context = matmulByToken(softmax(matmulByToken(rows, key, { transB: true })), value);
      return { context: reshape(context, [KEYS, GROUPS, SIZE]) };
    },
  },
  {
    name: 'outside, head by head',
    shape: byHead,
    attend: (query, key, value) => ({ context: matmul(softmax(matmul(query, key, { transB: true })), value) }),
  },
  {
    name: 'outside, head by head, each query head alone',
    shape: rows => [KEYS, 1, rows, SIZE],
    attend: (query, key, value) => {
      const rows = reshape(query, [KEYS, GROUPS, 1, SIZE]);
      return { context: reshape(matmul(softmax(matmul(rows, key, { transB: true })), value), [KEYS, GROUPS, SIZE]) };
    },
  },
  {
    name: 'outside, MultiHeadAttention',
    shape: rows => [KEYS, rows, SIZE],
    attend: (query, key, value) => ({ context: multiHeadAttention({ query, key, value }, { heads: 1, scale: 1 }) }),
  },
  {
    name: 'in and out, joined with the new row',
    shape: byHead,
    attend: (query, key, value) => {
      const [row] = split(query, 1, [1, GROUPS - 1]);
      const [keys, values] = [concat([key, row ?? query], 1), concat([value, row ?? query], 1)];
      const context = matmul(softmax(matmul(query, keys, { transB: true })), values);
      return { context, given: { key: keys, value: values } };
    },
  },
];

const filled = (length: number) => new Float32Array(length).fill(0.01);
const tensor = (shape: readonly number[]) => new OrtTensor('float32', filled(shape.reduce((a, b) => a * b, 1)), shape);

const sessions = await Promise.all(
  forms.map(({ shape, attend }) => {
    const query = input('query', [KEYS, GROUPS, SIZE]);
    const given: Record<string, Tensor> = {};
    const contexts = Array.from({ length: LAYERS }, (_, layer) => {
      const made = attend(query, input(`key.${layer}`, shape('rows')), input(`value.${layer}`, shape('rows')));
      for (const [name, value] of Object.entries(made.given ?? {})) given[`${name}.${layer}.next`] = value;
      return made.context;
    });
    const [first, ...others] = contexts;
    if (!first) throw new Error('there are layers');
    return InferenceSession.create(toOnnx({ context: addAll(first, ...others), ...given }), { intraOpNumThreads: 2 });
  }),
);

console.log(`| ms a token, attention alone | ${CONTEXTS.join(' | ')} |`);
const best = forms.map(() => CONTEXTS.map(() => Infinity));
for (const [column, rows] of CONTEXTS.entries()) {
  const feeds = forms.map(({ shape }) => ({
    query: tensor([KEYS, GROUPS, SIZE]),
    ...Object.fromEntries(
      Array.from({ length: LAYERS }, (_, layer) =>
        ['key', 'value'].map(of => [`${of}.${layer}`, tensor(shape(rows).map(Number))] as const),
      ).flat(),
    ),
  }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds[i] ?? {});
      const row = best[i];
      if (row) row[column] = Math.min(row[column] ?? Infinity, performance.now() - start);
    }
  }
}
for (const [i, { name }] of forms.entries())
  console.log(`| ${name} | ${best[i]?.map(ms => ms.toFixed(2)).join(' | ')} |`);

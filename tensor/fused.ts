// Operators that ONNX Runtime computes in one piece and that are therefore kept whole.
import { type AttentionOperand, expression, type Tensor } from './expression.ts';
import { output } from './operators.ts';
import { at, broadcast, type Dimension, require, sameShape, type Shape, show, withLast } from './shape.ts';

/** (x − mean) / √(variance + epsilon) · scale + shift over the last axis. */
export function layerNorm(x: Tensor, weights: { scale: Tensor; shift?: Tensor }, epsilon: number): Tensor {
  const of = [x, weights.scale, ...(weights.shift ? [weights.shift] : [])];
  for (const weight of of.slice(1)) vector('layerNorm', weight, at('layerNorm', x.shape, -1));
  return expression('layerNorm', of, { shape: x.shape, dtype: x.dtype, attributes: { epsilon } });
}

/** x / √(mean of x² + epsilon) · scale over the last axis (Zhang and Sennrich 2019). */
export function rmsNorm(x: Tensor, scale: Tensor, epsilon: number): Tensor {
  vector('rmsNorm', scale, at('rmsNorm', x.shape, -1));
  return expression('rmsNorm', [x, scale], { shape: x.shape, dtype: x.dtype, attributes: { epsilon } });
}

/** What both norms do before they scale, and what they multiply by: (x − mean) · inverse over the last axis, the mean only
 *  when `center`; inverse is [..., 1]. The gradients of norms take both. */
export function standardize(
  x: Tensor,
  { epsilon, center }: { epsilon: number; center: boolean },
): { values: Tensor; inverse: Tensor } {
  require(typeof at('standardize', x.shape, -1) ===
    'number', `standardize: the last axis of ${show(x.shape)} has no number`);
  const { shape, dtype } = x;
  const whole = expression('standardize', [x], { shape, dtype, attributes: { epsilon, center } });
  return {
    values: output(whole, 0, { shape, dtype }),
    inverse: output(whole, center ? 2 : 1, { shape: withLast(shape, 1), dtype }),
  };
}

/** −log softmax(logits)[label] for each row: logits [..., classes], labels [...] i64. */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const shape = logits.shape.slice(0, -1);
  require(sameShape(labels.shape, shape) &&
    labels.dtype ===
      'i64', `softmaxCrossEntropy: logits ${show(logits.shape)} with ${labels.dtype} labels ${show(labels.shape)}; labels must be i64 ${show(shape)}`);
  return expression('softmaxCrossEntropy', [logits, labels], { shape, dtype: logits.dtype, attributes: {} });
}

/** layerNorm(x + skip + bias), x of shape [batch, tokens, hidden]; skip is alike or [tokens, hidden]. */
export function skipLayerNorm(
  { x, skip, bias }: { x: Tensor; skip: Tensor; bias?: Tensor | undefined },
  weights: { scale: Tensor; shift: Tensor },
  epsilon: number,
): Tensor {
  require(sameShape(x.shape, skip.shape) ||
    sameShape(x.shape.slice(1), skip.shape), `skipLayerNorm: ${show(x.shape)} and ${show(skip.shape)} differ`);
  const of = [x, skip, weights.scale, weights.shift, ...(bias ? [bias] : [])];
  for (const weight of of.slice(2)) vector('skipLayerNorm', weight, at('skipLayerNorm', x.shape, -1));
  return expression('skipLayerNorm', of, { shape: x.shape, dtype: x.dtype, attributes: { epsilon } });
}

/** gelu(x + bias), exact. */
export function biasGelu(x: Tensor, bias: Tensor): Tensor {
  vector('biasGelu', bias, at('biasGelu', x.shape, -1));
  return expression('biasGelu', [x, bias], { shape: x.shape, dtype: x.dtype, attributes: {} });
}

/** gelu(x + bias) approximated by tanh. */
export function fastGelu(x: Tensor, bias?: Tensor): Tensor {
  if (bias) vector('fastGelu', bias, at('fastGelu', x.shape, -1));
  return expression('fastGelu', bias ? [x, bias] : [x], { shape: x.shape, dtype: x.dtype, attributes: {} });
}

export interface AttentionOperands {
  /** [batch, tokens, heads · size]. */
  query: Tensor;
  /** [batch, keys, heads · size]. */
  key: Tensor;
  /** [batch, keys, heads · valueSize]. */
  value: Tensor;
  /** Of query, key and value one behind the other. */
  bias?: Tensor | undefined;
  /** [batch, keys] i32, 1 where a key may be seen. */
  mask?: Tensor | undefined;
  /** Added to the scores: broadcasts to [batch, heads, tokens, keys] in its first two axes. */
  attentionBias?: Tensor | undefined;
}

/** softmax(scale · Q Kᵀ + attentionBias) V for each head: [batch, tokens, heads · valueSize]. `scale` is 1/√size unless given.
 *  Without mask and attentionBias, ONNX Runtime works in blocks and never holds all scores. */
export function multiHeadAttention(
  operands: AttentionOperands,
  { heads, scale }: { heads: number; scale?: number },
): Tensor {
  const { query, key, value, bias, mask, attentionBias } = operands;
  const name = 'multiHeadAttention';
  const [hidden, valueHidden] = [query, value].map(({ shape }) => {
    const last = at(name, shape, -1);
    require(shape.length === 3 &&
      typeof last === 'number' &&
      last % heads === 0, `${name}: ${heads} heads do not divide ${show(shape)}`);
    return Number(last);
  });
  require(sameShape(key.shape.slice(0, 2), value.shape.slice(0, 2)) &&
    key.shape[0] === query.shape[0] &&
    key.shape[2] ===
      hidden, `${name}: query ${show(query.shape)}, key ${show(key.shape)} and value ${show(value.shape)} do not fit`);
  if (bias) vector(name, bias, 2 * Number(hidden) + Number(valueHidden));
  if (mask) exactly(name, mask, { shape: key.shape.slice(0, 2), dtype: 'i32' });
  if (attentionBias) {
    const scores = [at(name, query.shape, 0), heads, at(name, query.shape, 1), at(name, key.shape, 1)];
    const fits = attentionBias.shape.length === 4 && sameShape(broadcast(name, attentionBias.shape, scores), scores);
    require(fits, `${name}: attention bias ${show(attentionBias.shape)} against scores ${show(scores)}`);
  }
  const given = { query, key, value, bias, mask, attentionBias };
  const present = ATTENTION_OPERANDS.filter(operand => given[operand]);
  return expression(
    'multiHeadAttention',
    present.flatMap(operand => given[operand] ?? []),
    {
      shape: [...query.shape.slice(0, 2), at(name, value.shape, -1)],
      dtype: query.dtype,
      attributes: { heads, scale: scale ?? 1 / Math.sqrt(Number(hidden) / heads), present },
    },
  );
}

/** Attention of new tokens to those before them and to themselves, each to none that comes later and, with a `window`, to no
 *  more than so many. query is [1, tokens, heads · size], key and value [1, tokens, keyValueHeads · size], those of the past
 *  [1, keyValueHeads, past, size]; `heads / keyValueHeads` heads that lie together share keys and values.
 *  What they saw comes out as well, of the past and new, since ONNX Runtime makes it anyhow; it keeps it until somebody has
 *  taken it. */
export function groupQueryAttention(
  { query, key, value, pastKey, pastValue }: Record<'query' | 'key' | 'value' | 'pastKey' | 'pastValue', Tensor>,
  {
    heads,
    keyValueHeads,
    scale,
    window = null,
  }: { heads: number; keyValueHeads: number; scale: number; window?: number | null },
): { attended: Tensor; keys: Tensor; values: Tensor } {
  const name = 'groupQueryAttention';
  const [tokens, hidden] = [at(name, query.shape, 1), at(name, query.shape, 2)];
  const size = Number(hidden) / heads;
  const past = at(name, pastKey.shape, 2);
  require(size % 8 === 0 &&
    heads % keyValueHeads === 0, `${name}: ${show(query.shape)} has not ${heads} heads of a size that eight divides`);
  exactly(name, query, { shape: [1, tokens, hidden], dtype: 'f32' });
  for (const rows of [key, value]) exactly(name, rows, { shape: [1, tokens, keyValueHeads * size], dtype: 'f32' });
  for (const rows of [pastKey, pastValue]) exactly(name, rows, { shape: [1, keyValueHeads, past, size], dtype: 'f32' });
  const { shape, dtype } = query;
  const made = expression(name, [query, key, value, pastKey, pastValue], {
    shape,
    dtype,
    attributes: { heads, keyValueHeads, scale, window: window ?? -1 },
  });
  const rows = [1, keyValueHeads, `${past}+${tokens}`, size];
  return {
    attended: output(made, 0, { shape, dtype }),
    keys: output(made, 1, { shape: rows, dtype }),
    values: output(made, 2, { shape: rows, dtype }),
  };
}

/** Rotates x [batch, tokens, hidden] head by head by the angles of `positions` [batch, tokens] or [1] (the first one) i64.
 *  `cosines` and `sines` are [longest, hidden/heads/2]. Pairs are (i, i + half), or neighbours when `interleaved`. */
export function rotaryEmbedding(
  x: Tensor,
  { positions, cosines, sines }: { positions: Tensor; cosines: Tensor; sines: Tensor },
  { heads, interleaved = false }: { heads: number; interleaved?: boolean },
): Tensor {
  const hidden = at('rotaryEmbedding', x.shape, -1);
  require(typeof hidden === 'number' &&
    hidden % (2 * heads) === 0 &&
    x.shape.length === 3, `rotaryEmbedding: ${show(x.shape)} has not ${heads} heads of even size`);
  const table = [at('rotaryEmbedding', cosines.shape, 0), hidden / heads / 2];
  exactly('rotaryEmbedding', cosines, { shape: table, dtype: 'f32' });
  exactly('rotaryEmbedding', sines, { shape: table, dtype: 'f32' });
  return expression('rotaryEmbedding', [x, positions, cosines, sines], {
    shape: x.shape,
    dtype: x.dtype,
    attributes: { heads, interleaved },
  });
}

/** A weight of whole numbers of `bits` bits in blocks of `blockSize` along the inner axis, each block with its scale.
 *  values: u8 [rows, blocks, blockSize · bits / 8], the low half of a byte first; scales: f32 [rows, blocks];
 *  zeros: u8 [rows, blocks · bits / 8 rounded up], which whole number of each block is zero, packed alike; 2^(bits − 1) for
 *  all if missing. */
export interface BlockQuantized {
  values: Tensor;
  scales: Tensor;
  zeros?: Tensor | undefined;
  bits: 4 | 8;
  blockSize: number;
}

/** x Wᵀ (+ bias) with W [rows, inner] quantised in blocks. Accuracy level 0 computes in f32; level 4 rounds each row of x
 *  block by block to 8 bits first, which no other row touches. */
export function matmulNBits(
  x: Tensor,
  weight: BlockQuantized,
  { bias, accuracyLevel = 0 }: { bias?: Tensor | undefined; accuracyLevel?: 0 | 1 | 4 } = {},
): Tensor {
  const { rows, columns } = blocks('matmulNBits', weight);
  require(at('matmulNBits', x.shape, -1) ===
    columns, `matmulNBits: ${show(x.shape)} against weight [${rows}, ${columns}]`);
  if (bias) vector('matmulNBits', bias, rows);
  const { values, scales, zeros, bits, blockSize } = weight;
  return expression('matmulNBits', [x, values, scales, ...(zeros ? [zeros] : []), ...(bias ? [bias] : [])], {
    shape: withLast(x.shape, rows),
    dtype: x.dtype,
    attributes: { bits, blockSize, accuracyLevel, zeros: zeros !== undefined },
  });
}

/** A weight of whole numbers from −127 to 127, each row with its scale: row r is scales[r] · values[:, r]. */
export interface RowQuantized extends OneWayRowQuantized {
  /** The same, i8 [rows, inner]: the gradient multiplies by it. */
  transposed: Tensor;
}

/** For products without a gradient. */
export interface OneWayRowQuantized {
  /** i8 [inner, rows]. */
  values: Tensor;
  /** f32 [rows]; 1 for all if missing. */
  scales?: Tensor | undefined;
}

/** x Wᵀ in products of whole numbers, which some processors multiply ten times as fast as f32 (AMX, VNNI). Each row of x is
 *  rounded to `parts` numbers of 7 bits, each of which is what the ones before it leave: with two of them the error is at most
 *  1/15,876 of the row's largest value, or of the largest that a row can have where x comes from `rmsNorm`, which takes fewer
 *  passes. With 7 bits no processor's sums of two products overflow.
 *
 *  With `unit`, x is rounded but once, to at most 127 of these each way, and cut off there: one pass, for what is known to lie
 *  within. There processors without VNNI cut off sums of two products beyond 16 bits, so
 *  that weights want to be within ±64, or x seldom near its ends. */
export function matmulInt8(
  x: Tensor,
  { values, transposed, scales }: OneWayRowQuantized & { transposed?: Tensor },
  { parts = 2, unit = null }: { parts?: number; unit?: number | null } = {},
): Tensor {
  const [inner = 0, rows = 0] = values.shape;
  require(values.shape.length === 2 &&
    at('matmulInt8', x.shape, -1) === inner, `matmulInt8: ${show(x.shape)} against weight ${show([rows, inner])}`);
  exactly('matmulInt8', values, { shape: [inner, rows], dtype: 'i8' });
  if (transposed) exactly('matmulInt8', transposed, { shape: [rows, inner], dtype: 'i8' });
  if (scales) vector('matmulInt8', scales, rows);
  return expression('matmulInt8', [x, values, transposed ?? values, ...(scales ? [scales] : [])], {
    shape: withLast(x.shape, rows),
    dtype: x.dtype,
    attributes: { parts, unit },
  });
}

/** Rows of a table that is quantised in blocks, as f32. Its values are u8 [rows, columns · bits / 8] here: the same bytes as
 *  a BlockQuantized' in the shape that this operator reads. */
export function gatherBlockQuantized(table: BlockQuantized, indices: Tensor): Tensor {
  const [rows = 0, bytes] = table.values.shape;
  const columns = (Number(bytes) * 8) / table.bits;
  require(!table.zeros, 'gatherBlockQuantized: zero points are not supported');
  require(table.values.shape.length ===
    2, `gatherBlockQuantized: values ${show(table.values.shape)} are not rows of bytes`);
  exactly('gatherBlockQuantized', table.scales, { shape: [rows, columns / table.blockSize], dtype: 'f32' });
  return expression('gatherBlockQuantized', [table.values, indices, table.scales], {
    shape: [...indices.shape, columns],
    dtype: 'f32',
    attributes: { bits: table.bits, blockSize: table.blockSize },
  });
}

// ---- helpers

/** In the order of the operator's inputs. */
const ATTENTION_OPERANDS: readonly AttentionOperand[] = ['query', 'key', 'value', 'bias', 'mask', 'attentionBias'];

function vector(operator: string, x: Tensor, length: Dimension): void {
  require(x.shape.length === 1 && x.shape[0] === length, `${operator}: a weight is ${show(x.shape)}, not [${length}]`);
}

function exactly(operator: string, x: Tensor, { shape, dtype }: { shape: Shape; dtype: string }): void {
  require(sameShape(x.shape, shape) &&
    x.dtype === dtype, `${operator}: ${x.dtype} ${show(x.shape)} where ${dtype} ${show(shape)} belongs`);
}

function blocks(
  operator: string,
  { values, scales, zeros, bits, blockSize }: BlockQuantized,
): { rows: number; columns: number } {
  const [rows, count, bytes] = values.shape;
  require(typeof rows === 'number' &&
    typeof count === 'number' &&
    bytes === (blockSize * bits) / 8 &&
    values.dtype ===
      'u8', `${operator}: ${values.dtype} ${show(values.shape)} are not blocks of ${blockSize} × ${bits} bits`);
  exactly(operator, scales, { shape: [rows, count], dtype: 'f32' });
  if (zeros) exactly(operator, zeros, { shape: [rows, Math.ceil((count * bits) / 8)], dtype: 'u8' });
  return { rows, columns: count * blockSize };
}

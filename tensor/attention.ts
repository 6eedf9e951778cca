// Attention in plain operators: what `multiHeadAttention` computes in one piece, for its gradients.
import type { Expression, Tensor } from './expression.ts';
import { add, cast, matmul, mul, reshape, slice, softmax, sub, transpose } from './operators.ts';
import { at, ShapeError } from './shape.ts';

/** softmax(scale · Q Kᵀ + attentionBias, where the mask allows) V for each head. */
export function attentionInParts({ of, attributes }: Expression<'multiHeadAttention'>): Tensor {
  const { heads, scale, present } = attributes;
  const given = new Map(present.map((name, i) => [name, of[i]]));
  const [bias, mask, attentionBias] = [given.get('bias'), given.get('mask'), given.get('attentionBias')];
  let biasStart = 0;
  const [query, key, value] = (['query', 'key', 'value'] as const).map(name => {
    const x = given.get(name);
    if (!x) throw new ShapeError(`multiHeadAttention: ${name} is missing`);
    const hidden = Number(at('multiHeadAttention', x.shape, -1));
    const own = bias && slice(bias, 0, { start: biasStart, length: hidden });
    biasStart += hidden;
    return split(own ? add(x, own) : x, heads);
  });
  if (!query || !key || !value) throw new ShapeError('multiHeadAttention: an operand is missing');
  let scores = matmul(query, key, { transB: true, alpha: scale });
  if (attentionBias) scores = add(scores, attentionBias);
  if (mask) {
    const [batch = 0, keys = 0] = mask.shape;
    scores = add(scores, mul(sub(1, reshape(cast(mask, 'f32'), [batch, 1, 1, keys])), -1e9));
  }
  return join(matmul(softmax(scores), value));
}

/** [batch, tokens, heads · size] as [batch, heads, tokens, size]. */
function split(x: Tensor, heads: number): Tensor {
  const [batch = 0, tokens = 0, hidden] = x.shape;
  return transpose(reshape(x, [batch, tokens, heads, Number(hidden) / heads]), [0, 2, 1, 3]);
}

/** Back from heads. */
function join(x: Tensor): Tensor {
  const [batch = 0, heads, tokens = 0, size] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, Number(heads) * Number(size)]);
}

// Attention that padding has no part in, without ever holding all scores.
//
// ONNX Runtime computes MultiHeadAttention in blocks that stay in the cache only when it has no mask; with one it writes
// out every score: twice as slow at 512 tokens, and 3 GB for one text of 8,192. So the mask travels inside the product:
// each head gets one dimension more, 1 in every query and 0 in the key of a token, −10⁴ (after scaling) in the key of
// padding, whose weight e^−10⁴ is then exactly 0.
import { cast, concat, constant, expand, multiHeadAttention, mul, reshape, sub, type Tensor } from '@vectorium/tensor';

export interface HeadShape {
  heads: number;
  /** Elements of one head. */
  size: number;
}

/** Attention for the batch that `mask` i32 [batch, tokens] belongs to. Query, key and value are
 *  [batch, tokens, heads · size], and so is the result. */
export function maskedAttention(
  mask: Tensor,
  { heads, size }: HeadShape,
): (query: Tensor, key: Tensor, value: Tensor) => Tensor {
  const scale = 1 / Math.sqrt(size);
  const perHead = ['batch', 'tokens', heads, 1];
  const ones = expand(constant(Float32Array.of(1), [1, 1, 1, 1]), perHead);
  const hidden = mul(sub(cast(mask, 'f32'), 1), HIDDEN / scale);
  const penalty = expand(reshape(hidden, ['batch', 'tokens', 1, 1]), perHead);
  const widen = (x: Tensor, extra: Tensor) => {
    const wide = concat([reshape(x, ['batch', 'tokens', heads, size]), extra], 3);
    return reshape(wide, ['batch', 'tokens', heads * (size + 1)]);
  };
  return (query, key, value) =>
    multiHeadAttention({ query: widen(query, ones), key: widen(key, penalty), value }, { heads, scale });
}

const HIDDEN = 1e4;

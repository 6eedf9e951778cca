// The arithmetic of an answer: how chunk vectors become one vector, and how alike two vectors are. Pure.

/**
 * The token-weighted mean of a text's chunk vectors, `[dimension]`; what vLLM and OpenAI's cookbook do with long texts.
 * A chunk without tokens (nothing that the tokenizer knows) weighs as one token, so that a mean always exists.
 */
export function weightedMean(vectors: readonly Float32Array[], weights: readonly number[]): Float32Array {
  const [first] = vectors;
  if (!first || vectors.length !== weights.length)
    throw new Error('a mean needs one weight a vector, and at least one');
  if (vectors.length === 1) return first;
  const sums = new Float64Array(first.length);
  let total = 0;
  for (const [index, vector] of vectors.entries()) {
    const weight = Math.max(weights[index] ?? 0, 1);
    total += weight;
    for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] ?? 0) + weight * (vector[at] ?? 0);
  }
  return Float32Array.from(sums, sum => sum / total);
}

/** Cuts to the first `dimensions` numbers (matryoshka), then scales to length 1: in this order, or the length would not be 1.
 * Throws at a vector that is no vector: nobody is charged for that. */
export function shapeVector(
  vector: Float32Array,
  { dimensions, normalize }: { dimensions?: number | undefined; normalize: boolean },
): Float32Array {
  const cut = dimensions === undefined ? vector : vector.subarray(0, dimensions);
  const length = Math.sqrt(dotProduct(cut, cut));
  if (!Number.isFinite(length)) throw new Error('the model gave a vector with NaN or infinity in it');
  if (!normalize || length === 0) return cut;
  // Ten times as fast as Float32Array.prototype.map, which counts for a thousand vectors.
  const scaled = new Float32Array(cut.length);
  for (let at = 0; at < cut.length; at++) scaled[at] = (cut[at] ?? 0) / length;
  return scaled;
}

/** From -1 to 1; 0 when one of the vectors is zero. */
export function cosineSimilarity(one: Float32Array, other: Float32Array): number {
  const lengths = Math.sqrt(dotProduct(one, one) * dotProduct(other, other));
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, dotProduct(one, other) / lengths));
}

function dotProduct(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += (one[at] ?? 0) * (other[at] ?? 0);
  return sum;
}

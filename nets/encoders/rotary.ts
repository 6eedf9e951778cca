// Rotary positions: cosines and sines of every position's angles, as constants of the graph.
import { constant, integers, rotaryEmbedding, type Tensor } from '@vectorium/tensor';

/** Inverse frequencies base^(−2i/size), rounded to f32 as the models were trained with (Su et al. 2021). */
export const frequencies = (size: number, base: number): Float32Array =>
  Float32Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(base ** Math.fround((2 * i) / size)));

/** A function that rotates [batch, tokens, heads · size] by the positions 0, 1, … `positions` − 1. */
export function rotation(
  inverse: Float32Array,
  { positions, heads }: { positions: number; heads: number },
): (x: Tensor) => Tensor {
  const half = inverse.length;
  const angles = Float32Array.from(
    { length: positions * half },
    (_, i) => Math.floor(i / half) * (inverse[i % half] ?? 0),
  );
  const cosines = constant(angles.map(Math.cos), [positions, half]);
  const sines = constant(angles.map(Math.sin), [positions, half]);
  const start = integers([0]);
  return x => rotaryEmbedding(x, { positions: start, cosines, sines }, { heads });
}

// Random numbers in the graph: a hash of (seed, step, stream, index), so that they are the same in every session, whatever
// ran before, and a run that is resumed at a step goes on with the same draws.
import type { Tensor } from './expression.ts';
import * as t from './operators.ts';
import { product, require, type Shape, show, withLast } from './shape.ts';

/** What a draw depends on. Draws that should differ within a step have another `stream`. */
export interface Draw {
  /** i64 [], from 0 to 2³² − 1. */
  seed: Tensor;
  /** i64 [], from 0 to 2³² − 1. */
  step: Tensor;
  /** From 0 to 2³² − 1. */
  stream: number;
}

/** 32 random bits for each element, u32; the last dimension is a number. */
export const randomBits = (draw: Draw, shape: Shape): Tensor =>
  fill('randomBits', shape, blocks => words(draw, blocks));

/** Evenly from [0, 1), in steps of 2⁻²⁴. */
export const uniform = (draw: Draw, shape: Shape): Tensor => fraction(randomBits(draw, shape));

/** With mean 0 and variance 1, by the transformation of Box and Muller (1958). */
export const normal = (draw: Draw, shape: Shape): Tensor =>
  fill('normal', shape, blocks => {
    const [a, b, c, d] = words(draw, blocks).map(fraction) as Words;
    return [...pair(a, b), ...pair(c, d)];
  });

/** 1 with this probability, else 0, as f32. */
export function bernoulli(draw: Draw, probability: Tensor | number, shape: Shape): Tensor {
  // bits < probability · 2³², written as a comparison that gives the ones without another pass.
  return t.cast(t.greater(t.mul(probability, 2 ** 32), t.cast(randomBits(draw, shape), 'f32')), 'f32');
}

/** Each element dropped (set to 0) with probability `rate` and the others scaled by 1 / (1 − rate), so that the expectation
 *  stays (Srivastava et al. 2014). Without a draw, as in inference, x itself. */
export function dropout(x: Tensor, rate: Tensor | number, draw: Draw | undefined): Tensor {
  if (!draw || rate === 0) return x;
  const kept = typeof rate === 'number' ? 1 - rate : t.sub(1, rate);
  const scale = typeof kept === 'number' ? 1 / kept : t.div(1, kept);
  return t.mul(x, t.mul(bernoulli(draw, kept, x.shape), scale));
}

// ---- helpers

type Words = [Tensor, Tensor, Tensor, Tensor];

/** Elements for `shape` from blocks of four: `make` gets [rows, blocks of a row] and gives four tensors of that shape. */
function fill(operator: string, shape: Shape, make: (blocks: Shape) => Tensor[]): Tensor {
  const last = shape.at(-1) ?? 1;
  require(typeof last === 'number', `${operator}: the last dimension of ${show(shape)} is no number`);
  const blocks = Math.ceil(last / 4);
  const row = t.concat(make([product(shape.slice(0, -1)), blocks]), 1);
  return t.reshape(
    4 * blocks === last ? row : t.slice(row, 1, { start: 0, length: last }),
    withLast(shape, last).slice(0, shape.length),
  );
}

/** Four words for each index by the hash pcg4d of Jarzynski and Olano, "Hash Functions for GPU Rendering" (JCGT 9(3), 2020):
 *  of those with good statistics in TestU01 it needs the fewest operations for a word, and 32-bit products are among the
 *  fastest that ONNX Runtime does with integers. */
function words({ seed, step, stream }: Draw, blocks: Shape): Words {
  const index = t.reshape(t.cast(t.range(product(blocks)), 'u32'), blocks);
  const start = [index, t.scalar(stream, 'u32'), t.cast(step, 'u32'), t.cast(seed, 'u32')];
  const [x, y, z, w] = start.map(word => t.add(t.mul(word, 1664525), 1013904223)) as Words;
  const folded = mix([x, y, z, w]).map(word => t.bitXor(word, t.shiftRight(word, 16))) as Words;
  return mix(folded).map(word => t.expand(word, blocks)) as Words;
}

function mix([x, y, z, w]: Words): Words {
  const a = t.add(x, t.mul(y, w));
  const b = t.add(y, t.mul(z, a));
  const c = t.add(z, t.mul(a, b));
  return [a, b, c, t.add(w, t.mul(b, c))];
}

/** The upper 24 bits, which f32 holds exactly. */
const fraction = (bits: Tensor): Tensor => t.mul(t.cast(t.shiftRight(bits, 8), 'f32'), 2 ** -24);

function pair(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const radius = t.sqrt(t.mul(t.log(t.sub(1, a)), -2));
  const angle = t.mul(b, 2 * Math.PI);
  return [t.mul(radius, t.cos(angle)), t.mul(radius, t.sin(angle))];
}

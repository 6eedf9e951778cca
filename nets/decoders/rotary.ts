// Rotary positions of decoders, and the ways in which they are stretched to longer texts.
import { constant, type Tensor } from '@vectorium/tensor';
import { frequencies } from '../encoders/rotary.ts';

export interface Rotary {
  /** The angle of each pair of elements at position 1, [headSize / 2]. */
  inverse: Float32Array;
  /** By what rotated queries and keys are multiplied: 1, but for YaRN. */
  magnitude: number;
}

/** From the fields of `rope_parameters` or `rope_scaling` in config.json. Throws for a kind that is not supported. */
export function rotaryOf(
  fields: Readonly<Record<string, unknown>>,
  { headSize, maxTokens }: { headSize: number; maxTokens: number },
): Rotary {
  const number = (name: string, otherwise?: number): number => {
    const value = fields[name] ?? otherwise;
    if (typeof value === 'number') return value;
    throw new Error(`rotary positions: ${name} must be a number`);
  };
  const base = number('rope_theta', number('base', 10_000));
  const plain = frequencies(headSize, base);
  const kind = fields['rope_type'] ?? fields['type'] ?? 'default';
  switch (kind) {
    case 'default':
      return { inverse: plain, magnitude: 1 };
    case 'linear':
      return { inverse: plain.map(value => value / number('factor')), magnitude: 1 };
    case 'llama3':
      return { inverse: llama3(plain, number), magnitude: 1 };
    case 'yarn':
      return yarn(plain, { base, number, original: number('original_max_position_embeddings', maxTokens) });
    default:
      throw new Error(`rotary positions of the kind ${JSON.stringify(kind)} are not supported`);
  }
}

type Field = (name: string, otherwise?: number) => number;

/** Long waves are stretched by `factor`, short ones kept, those between blended (Llama 3.1). */
function llama3(plain: Float32Array, number: Field): Float32Array {
  const [factor, low, high] = [number('factor'), number('low_freq_factor'), number('high_freq_factor')];
  const original = number('original_max_position_embeddings');
  return plain.map(value => {
    const wave = (2 * Math.PI) / value;
    if (wave < original / high) return value;
    if (wave > original / low) return value / factor;
    const blend = (original / wave - low) / (high - low);
    return ((1 - blend) * value) / factor + blend * value;
  });
}

/** Pairs that turn often within the original length are kept, those that don't turn once are stretched, and attention is
 *  sharpened by the magnitude (Peng et al. 2023, arXiv:2309.00071). */
function yarn(
  plain: Float32Array,
  { base, number, original }: { base: number; number: Field; original: number },
): Rotary {
  const factor = number('factor');
  const half = plain.length;
  const pairThatTurns = (times: number) => (half * Math.log(original / (times * 2 * Math.PI))) / Math.log(base);
  const low = Math.max(0, Math.floor(pairThatTurns(number('beta_fast', 32))));
  const high = Math.min(2 * half - 1, Math.ceil(pairThatTurns(number('beta_slow', 1))));
  const inverse = plain.map((value, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / Math.max(high - low, 0.001)));
    return (value / factor) * ramp + value * (1 - ramp);
  });
  return { inverse, magnitude: number('attention_factor', factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1) };
}

/** What the products of queries and keys are multiplied by. */
export const scoreScale = ({ headSize, rotary: { magnitude } }: { headSize: number; rotary: Rotary }): number =>
  magnitude ** 2 / Math.sqrt(headSize);

/** Cosines and sines of all positions, each [positions, headSize / 2]; with `scales` once for each of these, multiplied by it, one
 *  behind the other. */
export function rotaryTables(
  { inverse }: Rotary,
  { positions, scales = [1] }: { positions: number; scales?: readonly number[] },
): { cosines: Tensor; sines: Tensor } {
  const half = inverse.length;
  const angles = Float32Array.from(
    { length: positions * half },
    (_, i) => Math.floor(i / half) * (inverse[i % half] ?? 0),
  );
  const table = (of: (angle: number) => number): Tensor => {
    const values = new Float32Array(scales.length * angles.length);
    for (const [i, scale] of scales.entries())
      values.set(
        angles.map(angle => scale * of(angle)),
        i * angles.length,
      );
    return constant(values, [scales.length * positions, half]);
  };
  return { cosines: table(Math.cos), sines: table(Math.sin) };
}

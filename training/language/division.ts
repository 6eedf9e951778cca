// Which samples are held out. Pieces of one text are alike, so a row is held out with all its samples wherever that is possible.
import { randomNumbers, shuffle } from '../random.ts';

export interface Division {
  training: Uint32Array;
  validation: Uint32Array;
}

/** Below this share of what is wanted, whole rows are too few to measure anything with. */
const leastShare = 0.5;

/**
 * Indices of samples, in an order that follows from the seed; `rows` has the row of each sample, those of one row side by side. At
 * most `validation` are held out: whole rows, or single samples where rows have so many that whole ones are not half of that. From
 * as many as were held out it follows again what was.
 */
export function divided(rows: Uint32Array, { seed, validation }: { seed: number; validation: number }): Division {
  const starts = rows.map((_, sample) => sample).filter(sample => sample === 0 || rows[sample] !== rows[sample - 1]);
  const order = shuffle(
    starts.map((_, i) => i),
    randomNumbers(seed, 0, 2),
  );
  const firstOf = (row: number) => starts[row] ?? rows.length;
  const isHeldOut = new Uint8Array(starts.length);
  let left = validation;
  for (let i = order.length - 1; i >= 0 && left > 0; i--) {
    const row = order[i] ?? 0;
    const size = firstOf(row + 1) - firstOf(row);
    if (size > left) continue;
    isHeldOut[row] = 1;
    left -= size;
  }
  if (validation - left < leastShare * validation) {
    const samples = shuffle(
      rows.map((_, sample) => sample),
      randomNumbers(seed, 0, 2),
    );
    const training = samples.length - validation;
    return { training: samples.slice(0, training), validation: samples.slice(training) };
  }
  const samplesOf = (heldOut: number, length: number) => {
    const found = new Uint32Array(length);
    let at = 0;
    for (const row of order)
      if (isHeldOut[row] === heldOut)
        for (let sample = firstOf(row); sample < firstOf(row + 1); sample++) found[at++] = sample;
    return found;
  };
  const held = validation - left;
  return { training: samplesOf(0, rows.length - held), validation: samplesOf(1, held) };
}

// Which token comes next: the logits of one text, bent and cut as its caller wants, and a draw from what is left. Pure.
import type { Allowed } from '../forms/forms.ts';
import type { SamplingOptions, TokenChance } from '../types.ts';

/** Tokens less likely than e^-25 times the likeliest have no part in a draw: all of them together weigh less than 1e-6. */
const FARTHEST = 25;

export class Sampler {
  readonly #options: SamplingOptions;
  readonly #seen: Set<number>;
  readonly #said = new Map<number, number>();
  readonly #random: () => number;

  /** Repetition is counted from the prompt on, the other penalties from the answer on. */
  constructor(options: SamplingOptions, prompt: Iterable<number>) {
    this.#options = options;
    this.#seen = new Set(options.repetitionPenalty === 1 ? [] : prompt);
    this.#random = randomNumbers(options.seed);
  }

  /** The next token of `logits`, which are bent in place; only one of `allowed`, where that is given. */
  next(logits: Float32Array, allowed: Allowed | null = null): number {
    if (allowed) leave(logits, allowed);
    this.#penalise(logits);
    const id = this.#draw(logits);
    this.#seen.add(id);
    this.#said.set(id, (this.#said.get(id) ?? 0) + 1);
    return id;
  }

  #penalise(logits: Float32Array): void {
    const { repetitionPenalty: repetition, presencePenalty: presence, frequencyPenalty: frequency } = this.#options;
    if (repetition !== 1)
      for (const id of this.#seen) {
        const logit = logits[id] ?? 0;
        logits[id] = logit > 0 ? logit / repetition : logit * repetition;
      }
    if (presence !== 0 || frequency !== 0)
      for (const [id, count] of this.#said) logits[id] = (logits[id] ?? 0) - presence - frequency * count;
  }

  #draw(logits: Float32Array): number {
    const { temperature, topK, topP } = this.#options;
    const best = greatest(logits);
    if (temperature === 0 || topK === 1) return best;
    const top = logits[best] ?? 0;
    const ids: number[] = [];
    for (let id = 0; id < logits.length; id++) if ((logits[id] ?? 0) >= top - FARTHEST * temperature) ids.push(id);
    const weight = (id: number) => Math.exp(((logits[id] ?? 0) - top) / temperature);
    let chosen = topK !== null && topK < ids.length ? atLeastKth(ids, logits, topK) : ids;
    if (topP < 1) chosen = nucleus(chosen, weight, topP);
    const total = chosen.reduce((sum, id) => sum + weight(id), 0);
    let left = this.#random() * total;
    for (const id of chosen) {
      left -= weight(id);
      if (left < 0) return id;
    }
    return best;
  }
}

/** What is not allowed has no chance. */
function leave(logits: Float32Array, allowed: Allowed): void {
  for (let id = 0; id < logits.length; id++)
    if ((((allowed[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 0) logits[id] = -Infinity;
}

/** The `k` likeliest, of equals those with the lower ids. */
function atLeastKth(ids: readonly number[], logits: Float32Array, k: number): number[] {
  const limit = Float32Array.from(ids, id => logits[id] ?? 0).toSorted()[ids.length - k] ?? -Infinity;
  const above = ids.filter(id => (logits[id] ?? 0) > limit);
  const equal = ids.filter(id => logits[id] === limit).slice(0, k - above.length);
  return [...above, ...equal].toSorted((a, b) => a - b);
}

/** The likeliest tokens that together have the share `topP`, at least one. */
function nucleus(ids: readonly number[], weight: (id: number) => number, topP: number): number[] {
  const weights = ids.map(weight);
  const total = weights.reduce((sum, each) => sum + each, 0);
  // Whatever is less likely than this weighs less than what is left out, all together.
  const least = ((1 - topP) * total) / ids.length;
  const sorted = ids.flatMap((id, i) => ((weights[i] ?? 0) >= least ? [{ id, weight: weights[i] ?? 0 }] : []));
  sorted.sort((a, b) => b.weight - a.weight || a.id - b.id);
  let sum = 0;
  const count = sorted.findIndex(each => (sum += each.weight) >= topP * total);
  return sorted.slice(0, count < 0 ? sorted.length : count + 1).map(({ id }) => id);
}

/** The natural logarithms of the probabilities of `id` and of the `most` likeliest tokens, as the model gives them. */
export function chancesOf(logits: Float32Array, id: number, most: number): { own: number; likeliest: TokenChance[] } {
  const top = logits[greatest(logits)] ?? 0;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - top);
  const whole = top + Math.log(sum);
  const limit = most === 0 ? Infinity : (logits.toSorted()[logits.length - most] ?? -Infinity);
  const likeliest: TokenChance[] = [];
  for (const [each, logit] of logits.entries())
    if (logit >= limit) likeliest.push({ id: each, logprob: logit - whole });
  likeliest.sort((a, b) => b.logprob - a.logprob || a.id - b.id);
  return { own: (logits[id] ?? 0) - whole, likeliest: likeliest.slice(0, most) };
}

function greatest(values: Float32Array): number {
  let best = 0;
  let value = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const each = values[i] ?? 0;
    if (each > value) [best, value] = [i, each];
  }
  return best;
}

/** Numbers from 0 to below 1 that follow from the seed alone (Blackman and Vigna's xoshiro128++, started by splitmix32). */
export function randomNumbers(seed: number): () => number {
  let mixed = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  const splitmix = (): number => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  const word = (): number => {
    const result = (rotated((a + d) >>> 0, 7) + a) >>> 0;
    const shifted = (b << 9) >>> 0;
    c = (c ^ a) >>> 0;
    d = (d ^ b) >>> 0;
    b = (b ^ c) >>> 0;
    a = (a ^ d) >>> 0;
    c = (c ^ shifted) >>> 0;
    d = rotated(d, 11);
    return result;
  };
  return () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}

const rotated = (x: number, by: number): number => ((x << by) | (x >>> (32 - by))) >>> 0;

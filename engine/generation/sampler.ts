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
    const likely = within(logits, top - FARTHEST * temperature);
    let ids = topK !== null && topK < likely.length ? atLeastKth(likely, logits, topK) : likely;
    let weights: Float64Array = new Float64Array(ids.length);
    for (let i = 0; i < ids.length; i++) weights[i] = Math.exp(((logits[ids[i] ?? 0] ?? 0) - top) / temperature);
    if (topP < 1) ({ ids, weights } = nucleus(ids, weights, topP));
    let left = this.#random() * sumOf(weights);
    for (let i = 0; i < ids.length; i++) {
      left -= weights[i] ?? 0;
      if (left < 0) return ids[i] ?? best;
    }
    return best;
  }
}

/** What is not allowed has no chance. */
function leave(logits: Float32Array, allowed: Allowed): void {
  for (let id = 0; id < logits.length; id++)
    if ((((allowed[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 0) logits[id] = -Infinity;
}

/** Ids of logits that are at least `least`. Of a vocabulary this is most of the time that a draw takes, so nothing is sorted and
 *  no list grows. */
function within(logits: Float32Array, least: number): Int32Array {
  const ids = new Int32Array(logits.length);
  let count = 0;
  for (let id = 0; id < logits.length; id++) if ((logits[id] ?? 0) >= least) ids[count++] = id;
  return ids.subarray(0, count);
}

/** The `k` likeliest, of equals those with the lower ids. */
function atLeastKth(ids: Int32Array, logits: Float32Array, k: number): Int32Array {
  const values = new Float32Array(ids.length);
  for (let i = 0; i < ids.length; i++) values[i] = logits[ids[i] ?? 0] ?? 0;
  const limit = kthGreatest(values, k);
  const least = within(logits, limit);
  let equal = k;
  for (const id of least) if ((logits[id] ?? 0) > limit) equal--;
  return least.filter(id => (logits[id] ?? 0) > limit || equal-- > 0);
}

/** Hoare's selection: puts `values` in another order. */
function kthGreatest(values: Float32Array, k: number): number {
  let [from, to] = [0, values.length - 1];
  while (from < to) {
    const pivot = values[(from + to) >> 1] ?? 0;
    let [i, j] = [from, to];
    while (i <= j) {
      while ((values[i] ?? 0) > pivot) i++;
      while ((values[j] ?? 0) < pivot) j--;
      if (i > j) break;
      const value = values[i] ?? 0;
      values[i++] = values[j] ?? 0;
      values[j--] = value;
    }
    if (k - 1 <= j) to = j;
    else if (k - 1 >= i) from = i;
    else break;
  }
  return values[k - 1] ?? -Infinity;
}

/** The likeliest tokens that together have the share `topP`, at least one. */
function nucleus(ids: Int32Array, weights: Float64Array, topP: number) {
  const total = sumOf(weights);
  // Whatever is less likely than this weighs less than what is left out, all together.
  const least = ((1 - topP) * total) / ids.length;
  const sorted: { id: number; weight: number }[] = [];
  for (let i = 0; i < ids.length; i++) {
    const weight = weights[i] ?? 0;
    if (weight >= least) sorted.push({ id: ids[i] ?? 0, weight });
  }
  sorted.sort((a, b) => b.weight - a.weight || a.id - b.id);
  let sum = 0;
  const count = sorted.findIndex(each => (sum += each.weight) >= topP * total);
  const chosen = sorted.slice(0, count < 0 ? sorted.length : count + 1);
  return { ids: Int32Array.from(chosen, ({ id }) => id), weights: Float64Array.from(chosen, ({ weight }) => weight) };
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum;
}

/** The natural logarithms of the probabilities of `id` and of the `most` likeliest tokens, as the model gives them. */
export function chancesOf(logits: Float32Array, id: number, most: number): { own: number; likeliest: TokenChance[] } {
  const top = logits[greatest(logits)] ?? 0;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - top);
  const whole = top + Math.log(sum);
  const limit = most === 0 ? Infinity : kthGreatest(logits.slice(), most);
  const likeliest = Array.from(within(logits, limit), (each): TokenChance => ({
    id: each,
    logprob: (logits[each] ?? 0) - whole,
  }));
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

// Random numbers of JavaScript's side: the same for the same seed, whatever ran before.

/** Numbers from [0, 1), by sfc32 of the PractRand suite, started from whole numbers. */
export function randomNumbers(...seeds: [number, number, number]): () => number {
  let [a, b, c] = seeds;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  // So that seeds that are alike end far from each other.
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** Shuffles in place (Fisher and Yates). */
export function shuffle<List extends Uint32Array | number[]>(list: List, random: () => number): List {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j] ?? 0, list[i] ?? 0];
  }
  return list;
}

// The hidden states of a decoder in another orthogonal basis, in which no few of their numbers are much larger than the others: one
// rounding to 8 bits then does for what a norm gives (Ashkboos et al. 2024, QuaRot, arXiv:2404.00456). The model computes the same,
// because what writes hidden states is turned, and what reads them turned back, in the weights.
//
// The basis is a random sign for each number, then a cosine transform of the odd part of the size beside Hadamard's of the power of
// two: x of [odd, power] becomes C x H. Both mix every number into every other.

export class ResidualRotation {
  readonly #size: number;
  readonly #power: number;
  readonly #cosines: Float64Array;
  readonly #signs: Float32Array;

  constructor(size: number) {
    this.#size = size;
    this.#power = size & -size;
    const odd = size / this.#power;
    this.#cosines = cosineTransform(odd);
    this.#signs = randomSigns(size);
  }

  /** Vectors of the size as rows of [rows, size], each times the basis, in place. */
  rows(matrix: Float32Array): void {
    for (let start = 0; start < matrix.length; start += this.#size) this.#turn(matrix, start, 1);
  }

  /** The same of the columns of [size, columns]. */
  columns(matrix: Float32Array): void {
    this.#turn(matrix, 0, matrix.length / this.#size);
  }

  /** `width` vectors at once from `start` on, number after number. */
  #turn(values: Float32Array, start: number, width: number): void {
    const part = this.#power * width;
    const end = start + this.#size * width;
    const scale = 1 / Math.sqrt(this.#power);
    for (let number = 0, i = start; i < end; number++) {
      const factor = scale * (this.#signs[number] ?? 0);
      for (const next = i + width; i < next; i++) values[i] = factor * (values[i] ?? 0);
    }
    for (let at = start; at < end; at += part) hadamard(values, { start: at, end: at + part, width });
    if (part < end - start) this.#mixParts(values, start, part);
  }

  #mixParts(values: Float32Array, start: number, part: number): void {
    const odd = this.#size / this.#power;
    const [cosines, before] = [this.#cosines, new Float64Array(odd)];
    for (let i = start; i < start + part; i++) {
      for (let k = 0; k < odd; k++) before[k] = values[k * part + i] ?? 0;
      for (let row = 0; row < odd; row++) {
        let sum = 0;
        for (let k = 0; k < odd; k++) sum += (cosines[row * odd + k] ?? 0) * (before[k] ?? 0);
        values[row * part + i] = sum;
      }
    }
  }
}

/** Sums and differences of a power of two of groups of `width` numbers. */
function hadamard(values: Float32Array, { start, end, width }: { start: number; end: number; width: number }): void {
  for (let half = width; half < end - start; half *= 2)
    for (let first = start; first < end; first += 2 * half)
      for (let i = first; i < first + half; i++) {
        const [a, b] = [values[i] ?? 0, values[i + half] ?? 0];
        values[i] = a + b;
        values[i + half] = a - b;
      }
}

/** [size, size], orthogonal. */
function cosineTransform(size: number): Float64Array {
  return Float64Array.from({ length: size * size }, (_, i) => {
    const [row, column] = [Math.floor(i / size), i % size];
    return Math.sqrt((row === 0 ? 1 : 2) / size) * Math.cos((Math.PI * (column + 0.5) * row) / size);
  });
}

/** Always the same ones, by the multiplicative generator of Park and Miller. */
function randomSigns(size: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: size }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 65_536 < 32_768 ? 1 : -1;
  });
}

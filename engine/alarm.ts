// One timer for many who wait: it rings at the earliest time asked for, and who waits for a later one asks again then.

export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | null = null;
  #at = Infinity;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings in `milliseconds`, unless it rings sooner anyway. */
  within(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (at >= this.#at) return;
    this.clear();
    this.#at = at;
    this.#timer = setTimeout(() => {
      this.clear();
      this.#ring();
    }, milliseconds);
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#at = Infinity;
  }
}

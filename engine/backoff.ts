// When to try again what failed: at once the first time, then after doubling waits, so that a poisoned model does not
// burn a core by dying in a loop.

const firstWaitMs = 250;
const longestWaitMs = 30_000;

export class Backoff {
  #failures = 0;
  #until = 0;

  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds until the next try, 0 when it may come now. */
  waitMs(now: number): number {
    return Math.max(0, this.#until - now);
  }

  failed(now: number): void {
    this.#failures++;
    this.#until = this.#failures === 1 ? now : now + Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 2));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#until = 0;
  }
}

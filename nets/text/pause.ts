/** Lets a long computation in a generator stop about every 5 ms, so that others get their turn. */
export class Pause {
  private readonly everyMs: number;
  private until: number;

  constructor(everyMs = 5) {
    this.everyMs = everyMs;
    this.until = performance.now() + everyMs;
  }

  /** Yields if it is time; the time that the caller takes before going on doesn't count. */
  *here(): Generator<void, void> {
    if (performance.now() < this.until) return;
    yield;
    this.until = performance.now() + this.everyMs;
  }

  /** Runs steps to their end without a pause. */
  static skip<Result>(steps: Generator<void, Result>): Result {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }
}

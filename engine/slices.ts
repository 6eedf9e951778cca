// Shares one thread between jobs that pause themselves, so that a short text never waits for a long one to finish.
//
// A new job gets its first slice before the jobs that have had one, but new and old take turns: a job that one slice
// finishes waits for at most one slice of a longer job for each job before it, and no stream of short jobs starves a long one.

const sliceMs = 5;

interface Job {
  steps: Generator<void, void>;
}

export class Slices {
  readonly #fresh = new Map<number, Job>();
  readonly #started = new Map<number, Job>();
  #startedIsNext = false;

  get size(): number {
    return this.#fresh.size + this.#started.size;
  }

  /** `steps` yields at least every few milliseconds of work and reports its own result and errors. */
  add(id: number, steps: Generator<void, void>): void {
    this.#fresh.set(id, { steps });
  }

  cancel(id: number): void {
    this.#fresh.delete(id);
    this.#started.delete(id);
  }

  /** Runs one job for one slice. */
  turn(now: () => number = () => performance.now()): void {
    const queue =
      this.#started.size > 0 && (this.#startedIsNext || this.#fresh.size === 0) ? this.#started : this.#fresh;
    this.#startedIsNext = queue === this.#fresh;
    for (const [id, job] of queue) {
      queue.delete(id);
      const until = now() + sliceMs;
      let done = false;
      while (!done && now() < until) done = job.steps.next().done === true;
      if (!done) this.#started.set(id, job);
      return;
    }
  }
}

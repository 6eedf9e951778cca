// How long a run has taken, and the end of its time.
import { TrainingError } from './errors.ts';

export class Clock {
  readonly #began = performance.now();
  readonly #maxSeconds: number | null;

  constructor(maxSeconds: number | null) {
    this.#maxSeconds = maxSeconds;
  }

  seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** Throws TrainingError when the time is over before there is anything to export. */
  checkPreparing(doing: string): void {
    const most = this.#maxSeconds;
    if (most === null || this.seconds() < most) return;
    throw new TrainingError(
      'NOT_TRAINABLE',
      `The time was up before the first step: after max_seconds (${most}) the run was still ${doing}`,
      'config.max_seconds',
    );
  }
}

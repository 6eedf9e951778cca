// How long a run has taken, with the processes of it that were killed, and the end of its time.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TrainingError } from './errors.ts';
import { readIfThere } from './files.ts';

/** What a process that is killed forgets at most, about. */
const keptEveryMs = 1000;

export class Clock {
  readonly #began = performance.now();
  readonly #path: string;
  readonly #before: number;
  readonly #maxSeconds: number | null;
  readonly #timer = setInterval(() => this.#keep(), keptEveryMs);

  private constructor(path: string, before: number, maxSeconds: number | null) {
    this.#path = path;
    this.#before = before;
    this.#maxSeconds = maxSeconds;
  }

  /** Goes on from what the job's folder has. */
  static async open(folder: string, maxSeconds: number | null): Promise<Clock> {
    const path = join(folder, 'seconds');
    return new Clock(path, Number(await readIfThere(path)) || 0, maxSeconds);
  }

  seconds(): number {
    return this.#before + (performance.now() - this.#began) / 1000;
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

  close(): void {
    clearInterval(this.#timer);
    this.#keep();
  }

  /** Not waited for on the disk: a machine that fails costs the run no more than its count. */
  #keep(): void {
    const partial = `${this.#path}.${process.pid}.part`;
    try {
      writeFileSync(partial, String(this.seconds()));
      renameSync(partial, this.#path);
    } catch {
      // A full disk ends the run where it needs one.
    }
  }
}

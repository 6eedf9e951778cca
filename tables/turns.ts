// Who may work next: places shared by accounts, so that nobody waits long because somebody else asks for much.
//
// 1. One account holds all places but one at most (where there are several): another that comes finds one free, or waits for a job that
//    began before it came, and never for the line of those who were there first.
// 2. A place that becomes free goes to the account that holds the fewest; of several, to the one that was served longest ago. Within an
//    account it goes by arrival.
interface Line {
  running: number;
  waiting: (() => void)[];
  /** The number of its latest start. */
  served: number;
}

export class Turns {
  readonly #places: number;
  readonly #mostOfOne: number;
  /** Of accounts that hold a place or wait for one. */
  readonly #lines = new Map<string, Line>();
  #running = 0;
  #starts = 0;

  constructor(places: number) {
    this.#places = places;
    this.#mostOfOne = Math.max(1, places - 1);
  }

  /** Waits for a place; gives the function that gives it back. Rejects with the signal's reason when it aborts before. */
  async enter(account: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const line = this.#lines.get(account) ?? { running: 0, waiting: [], served: 0 };
    this.#lines.set(account, line);
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        line.waiting.splice(line.waiting.indexOf(start), 1);
        this.#forget(account, line);
        reject(signal?.reason);
      };
      line.waiting.push(start);
      signal?.addEventListener('abort', leave, { once: true });
      this.#fill();
    });
    return () => {
      line.running--;
      this.#running--;
      this.#forget(account, line);
      this.#fill();
    };
  }

  /** Lets everybody in at once: whoever waits is to see that all is over. */
  open(): void {
    for (const line of this.#lines.values()) while (line.waiting.length > 0) this.#start(line);
  }

  #fill(): void {
    while (this.#running < this.#places) {
      let next: Line | null = null;
      for (const line of this.#lines.values()) {
        if (line.waiting.length === 0 || line.running >= this.#mostOfOne) continue;
        if (!next || line.running < next.running || (line.running === next.running && line.served < next.served))
          next = line;
      }
      if (!next) return;
      this.#start(next);
    }
  }

  #start(line: Line): void {
    line.running++;
    line.served = ++this.#starts;
    this.#running++;
    line.waiting.shift()?.();
  }

  #forget(account: string, { running, waiting }: Line): void {
    if (running === 0 && waiting.length === 0) this.#lines.delete(account);
  }
}

// Several worker threads with a session each, kept busy with batches that are formed beforehand.
import { on, once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Batch, SessionOptions, Vectors } from './session-thread.ts';

export interface Layout {
  sessions: number;
  threads: number;
}

export class Sessions {
  private readonly workers: Worker[];

  private constructor(workers: Worker[]) {
    this.workers = workers;
  }

  static async start(graphPath: string, { sessions, threads }: Layout): Promise<Sessions> {
    const workerData: SessionOptions = { graphPath, threads };
    const file = new URL('session-thread.ts', import.meta.url);
    const workers = Array.from({ length: sessions }, () => new Worker(file, { workerData }));
    await Promise.all(workers.map(worker => once(worker, 'message')));
    return new Sessions(workers);
  }

  /** Computes all batches, in the order given, and answers in that order. */
  async run(batches: readonly Int32Array[][]): Promise<Vectors[]> {
    const answers: Vectors[] = Array.from({ length: batches.length });
    let next = 0;
    const work = async (worker: Worker) => {
      const send = () => {
        const ids = batches[next];
        if (!ids) return false;
        const batch: Batch = { number: next++, ids };
        worker.postMessage(batch, []);
        return true;
      };
      const messages = on(worker, 'message') as AsyncIterable<[Vectors]>;
      let open = Number(send());
      // A second one waits in the thread's own queue, so that the session never does.
      if (batches.length > 2 * this.workers.length) open += Number(send());
      if (open === 0) return;
      for await (const [answer] of messages) {
        answers[answer.number] = answer;
        open += Number(send()) - 1;
        if (open === 0) return;
      }
    };
    await Promise.all(this.workers.map(work));
    return answers;
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.terminate()));
  }
}

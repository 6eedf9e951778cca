// This side of a session thread: one question at a time, and what state the thread is in.
import type { EncoderGraph } from '@vectorium/nets';
import { AskedThread } from './asked-thread.ts';
import type { FromSession, SessionThreadData, ToSession } from './protocol.ts';

export type SessionState = 'compile' | 'room' | 'create' | 'idle' | 'running';

export interface Batch {
  texts: Int32Array[];
  spans: Int32Array | null;
}

export class Session {
  state: SessionState = 'compile';
  /** Set when the session shall end after its batch. */
  leaving = false;
  /** Counted against the memory budget from before the weights are read. */
  bytes = 0;
  readonly startedAt = Date.now();
  readonly threads: number;
  readonly #thread: AskedThread<ToSession, FromSession>;

  constructor(name: string, data: SessionThreadData, onLost: (reason: string) => void) {
    this.threads = data.threads;
    this.#thread = new AskedThread('./session-thread.ts', { name, data, onLost });
  }

  /** Traces the model's graph, or finds it made. */
  async compile(): Promise<EncoderGraph> {
    const { graph } = await this.#thread.ask('compiled', { type: 'compile' });
    return graph;
  }

  async create(graph: EncoderGraph): Promise<void> {
    await this.#thread.ask('created', { type: 'create', path: graph.path });
  }

  /** Vectors `[texts, dimension]`, or sums `[spans, dimension]`. */
  async run({ texts, spans }: Batch): Promise<{ vectors: Float32Array; milliseconds: number }> {
    const lengths = Int32Array.from(texts, text => text.length);
    const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
    let at = 0;
    for (const text of texts) {
      ids.set(text, at);
      at += text.length;
    }
    return this.#thread.ask('vectors', { type: 'run', ids, lengths, spans }, [ids.buffer, lengths.buffer]);
  }

  close(): Promise<void> {
    return this.#thread.close({ type: 'close' });
  }
}

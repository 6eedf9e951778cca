// This side of a session thread: one question at a time, and what state the thread is in.
import type { EncoderGraph } from '@vectorium/nets';
import { EngineError } from './errors.ts';
import type { FromSession, SessionThreadData, ToSession } from './protocol.ts';
import { Thread } from './thread.ts';

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
  readonly #thread: Thread<ToSession, FromSession>;
  #pending: { resolve: (answer: FromSession) => void; reject: (error: EngineError) => void } | null = null;
  #lost: EngineError | null = null;

  constructor(name: string, data: SessionThreadData, onLost: (reason: string) => void) {
    this.threads = data.threads;
    this.#thread = new Thread('./session-thread.ts', {
      name,
      data,
      onMessage: answer => {
        const pending = this.#pending;
        this.#pending = null;
        if (answer.type === 'failed') pending?.reject(new EngineError('MODEL_FAILED', answer.message));
        else pending?.resolve(answer);
      },
      onLost: reason => {
        this.#lost = new EngineError('WORKER_LOST', `the worker of ${name} was lost: ${reason}`);
        onLost(reason);
        this.#pending?.reject(this.#lost);
      },
    });
  }

  /** Traces the model's graph, or finds it made. */
  async compile(): Promise<EncoderGraph> {
    const answer = await this.#ask({ type: 'compile' });
    if (answer.type !== 'compiled') throw unexpected(answer);
    return answer.graph;
  }

  async create(graph: EncoderGraph): Promise<void> {
    const answer = await this.#ask({ type: 'create', path: graph.path });
    if (answer.type !== 'created') throw unexpected(answer);
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
    const answer = await this.#ask({ type: 'run', ids, lengths, spans }, [ids.buffer, lengths.buffer]);
    if (answer.type !== 'vectors') throw unexpected(answer);
    return answer;
  }

  close(): Promise<void> {
    return this.#thread.close({ type: 'close' });
  }

  #ask(message: ToSession, transfer: ArrayBuffer[] = []): Promise<FromSession> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#thread.send(message, transfer);
    });
  }
}

function unexpected(answer: FromSession): Error {
  return new Error(`the session thread answered ${answer.type}`);
}

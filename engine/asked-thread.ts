// A thread that is asked one question at a time: whoever owns it waits for the answer before the next.
import type { Transferable } from 'node:worker_threads';
import { EngineError } from './errors.ts';
import { Thread, type ThreadEntry } from './thread.ts';

interface Failed {
  type: 'failed';
  message: string;
}

export class AskedThread<Question extends { type: string }, Answer extends { type: string }> {
  readonly #thread: Thread<Question, Answer | Failed>;
  #pending: { resolve: (answer: Answer) => void; reject: (error: EngineError) => void } | null = null;
  #lost: EngineError | null = null;

  constructor(
    entry: ThreadEntry,
    { name, data, onLost }: { name: string; data: unknown; onLost: (reason: string) => void },
  ) {
    this.#thread = new Thread(entry, {
      name,
      data,
      onMessage: answer => {
        const pending = this.#pending;
        this.#pending = null;
        if (isFailed(answer)) pending?.reject(new EngineError('MODEL_FAILED', answer.message));
        else pending?.resolve(answer);
      },
      onLost: reason => {
        this.#lost = new EngineError('WORKER_LOST', `the worker of ${name} was lost: ${reason}`);
        onLost(reason);
        this.#pending?.reject(this.#lost);
      },
    });
  }

  /** The answer of this type. Throws MODEL_FAILED with the thread's reason, and WORKER_LOST. */
  async ask<Type extends Answer['type']>(
    type: Type,
    question: Question,
    transfer: Transferable[] = [],
  ): Promise<Extract<Answer, { type: Type }>> {
    if (this.#lost) throw this.#lost;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#thread.send(question, transfer);
    });
    if (!isOf(answer, type)) throw new Error(`the thread was asked for ${type} and answered ${answer.type}`);
    return answer;
  }

  /** A message that has no answer. */
  tell(message: Question): void {
    this.#thread.send(message);
  }

  close(message: Question): Promise<void> {
    return this.#thread.close(message);
  }
}

const isFailed = <Answer extends { type: string }>(answer: Answer | Failed): answer is Failed =>
  answer.type === 'failed';

const isOf = <Answer extends { type: string }, Type extends string>(
  answer: Answer,
  type: Type,
): answer is Extract<Answer, { type: Type }> => answer.type === type;

// llama.cpp through node-llama-cpp, if it is there.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What is used of node-llama-cpp 3. */
interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number>;
}
interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}
interface Model {
  tokenize(text: string): number[];
  createContext(options: object): Promise<Context>;
}
interface Llama {
  loadModel(options: object): Promise<Model>;
  dispose(): Promise<void>;
}

export async function openLlama(modelPath: string) {
  const folder = process.env['VECTORIUM_BENCH_LLAMA'];
  if (!folder) return null;
  const path = createRequire(join(folder, 'package.json')).resolve('node-llama-cpp');
  const { getLlama } = (await import(pathToFileURL(path).href)) as { getLlama(options: object): Promise<Llama> };
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 2 });
  const model = await llama.loadModel({ modelPath });
  const tokens = (count: number): number[] =>
    model.tokenize('The quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(count / 4))).slice(0, count);
  const context = (sequences: number, contextSize: number) =>
    model.createContext({ contextSize, sequences, threads: 2, batchSize: 512 });

  return {
    async prompt(count: number): Promise<number> {
      const made = await context(1, count + 8);
      const start = performance.now();
      await made.getSequence().evaluateWithoutGeneratingNewTokens(tokens(count));
      const ms = performance.now() - start;
      await made.dispose();
      return ms;
    },
    /** `callers` texts of `length` tokens, each of which goes on by one token a step. */
    async steps(callers: number, length: number, room: number) {
      const made = await context(callers, length + room);
      const going = await Promise.all(
        Array.from({ length: callers }, async () => {
          const sequence = made.getSequence();
          await sequence.evaluateWithoutGeneratingNewTokens(tokens(length - 1));
          const answer = sequence.evaluate(tokens(1), { temperature: 0, yieldEogToken: true });
          await answer.next();
          return answer;
        }),
      );
      return {
        async step(): Promise<number> {
          const start = performance.now();
          await Promise.all(going.map(answer => answer.next()));
          return performance.now() - start;
        },
        close: () => made.dispose(),
      };
    },
    close: () => llama.dispose(),
  };
}

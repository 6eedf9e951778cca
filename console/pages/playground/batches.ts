// Vectors of many texts in as few requests as the plan takes, slowing down where it says so.
import { ApiProblem, call } from '../../api/index.ts';
import { decodeVector } from './vectors.ts';

/** Texts that the plans as shipped take at once. An operator may have others, so a refused size is followed by a smaller one. */
const sizes = [500, 50, 5, 1];
const firstSizes: Record<string, number> = { free: 5, starter: 50, pro: 500, enterprise: 500 };

export interface BatchProgress {
  done: number;
  /** Seconds until the plan's limit allows the next request. */
  waitingSeconds: number | null;
}

interface BatchOptions {
  plan: string | undefined;
  settings: { model?: string; input_type?: 'query' | 'document' };
  onProgress: (progress: BatchProgress) => void;
  signal: AbortSignal;
}

export async function vectorsOf(
  texts: readonly string[],
  { plan, settings, onProgress, signal }: BatchOptions,
): Promise<Float32Array[]> {
  let size = firstSizes[plan ?? ''] ?? 50;
  const vectors: Float32Array[] = [];
  while (vectors.length < texts.length) {
    onProgress({ done: vectors.length, waitingSeconds: null });
    const body = {
      texts: texts.slice(vectors.length, vectors.length + size),
      encoding_format: 'base64' as const,
      ...settings,
    };
    try {
      const answer = await call('vectorizeBatch', { body }, { signal });
      for (const vector of answer.vectors) vectors.push(decodeVector(String(vector)));
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      const smaller = sizes.find(each => each < size);
      if (problem.code === 'BATCH_TOO_LARGE' && smaller !== undefined) size = smaller;
      else if (problem.status === 429 && problem.retryAfterSeconds !== null && problem.retryAfterSeconds <= 60)
        await countDown(problem.retryAfterSeconds, {
          signal,
          onSecond: left => onProgress({ done: vectors.length, waitingSeconds: left }),
        });
      else throw problem;
    }
  }
  return vectors;
}

async function countDown(
  seconds: number,
  { signal, onSecond }: { signal: AbortSignal; onSecond: (left: number) => void },
): Promise<void> {
  for (let left = seconds; left > 0; left--) {
    onSecond(left);
    await new Promise(resolve => setTimeout(resolve, 1000));
    signal.throwIfAborted();
  }
}

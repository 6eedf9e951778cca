// Draws: the shares that logits ask for, and what temperature, cuts and penalties do to them.
import { expect, test } from 'vitest';
import type { SamplingOptions } from '../types.ts';
import { chancesOf, Sampler } from './sampler.ts';

const plain: SamplingOptions = {
  temperature: 1,
  topP: 1,
  topK: null,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 7,
};
/** Probabilities 0.1, 0.2, 0.3, 0.4. */
const logits = () => Float32Array.from([1, 2, 3, 4], Math.log);

/** Shares of many draws, each with a seed of its own: neither the draws nor the seeds may be unfair. */
function shares(options: Partial<SamplingOptions>, draws = 20_000): number[] {
  const counts = [0, 0, 0, 0];
  for (let seed = 0; seed < draws; seed++) {
    const id = new Sampler({ ...plain, ...options, seed }, []).next(logits());
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts.map(count => count / draws);
}

function expectShares(options: Partial<SamplingOptions>, expected: number[]): void {
  for (const [id, share] of shares(options).entries())
    expect(Math.abs(share - (expected[id] ?? 0))).toBeLessThan(0.015);
}

test('draws have the probabilities of the softmax, at any temperature', () => {
  expectShares({}, [0.1, 0.2, 0.3, 0.4]);
  expectShares({ temperature: 0.5 }, [1 / 30, 4 / 30, 9 / 30, 16 / 30]);
  expect(shares({ temperature: 0 }, 10)).toEqual([0, 0, 0, 1]);
});

test('top_k and top_p keep the likeliest, in the shares that they had', () => {
  expectShares({ topK: 2 }, [0, 0, 3 / 7, 4 / 7]);
  expectShares({ topP: 0.65 }, [0, 0, 3 / 7, 4 / 7]);
  expectShares({ topP: 0.75 }, [0, 2 / 9, 3 / 9, 4 / 9]);
  expect(shares({ topP: 0.0001 }, 10)).toEqual([0, 0, 0, 1]);
});

test('what was said becomes less likely, as each penalty has it', () => {
  const after = (options: Partial<SamplingOptions>, prompt: number[], values: number[]): number =>
    new Sampler({ ...plain, temperature: 0, ...options }, prompt).next(Float32Array.from(values));
  expect(after({ repetitionPenalty: 2 }, [0], [4, 3])).toBe(1);
  expect(after({ repetitionPenalty: 2 }, [0], [-1, -1.5])).toBe(1);
  expect(after({ presencePenalty: 2 }, [0], [4, 3])).toBe(0);
  const sampler = new Sampler({ ...plain, temperature: 0, frequencyPenalty: 0.4 }, []);
  const said = Array.from({ length: 5 }, () => sampler.next(Float32Array.of(1, 0.5)));
  expect(said).toEqual([0, 0, 1, 0, 1]);
});

test('probabilities are those of the model', () => {
  const { own, likeliest } = chancesOf(logits(), 0, 2);
  expect(own).toBeCloseTo(Math.log(0.1), 5);
  expect(likeliest.map(({ id, logprob }) => [id, Math.exp(logprob).toFixed(3)])).toEqual([
    [3, '0.400'],
    [2, '0.300'],
  ]);
});

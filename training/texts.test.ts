// Text columns: their vectors are asked for in parts, none twice, and what they say is learnt.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { workshop } from './testing.ts';
import type { TrainServices } from './types.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

const shop = await workshop();
const encoder = { name: 'stand-in', revision: '1', dimension: 8 };

/** A vector that says how often some letters occur. */
const vectorOf = (text: string): Float32Array =>
  Float32Array.from('abcdefgh', letter => (text.split(letter).length - 1) / 4);

const animals = ['badger', 'beaver', 'cheetah', 'elephant', 'giraffe', 'hedgehog', 'mouse', 'zebra'];
const rows = Array.from({ length: 600 }, (_, i) => ({
  story: i % 50 === 7 ? null : `A ${animals[i % 8]} was seen at the river ${i} days after the ${animals[(i * 5) % 8]}`,
  noise: (i * 7919) % 100,
  target: (i % 8) + 0.5,
}));
const source = await shop.table(rows);
const config = { algorithm: 'mlp', epochs: 60, learningRate: 0.01 } as const;

test('a run that was broken off asks only for the parts that it does not have', async () => {
  const job = shop.job('regression', source, config, encoder);
  const asked: number[] = [];
  const embed =
    (failsAt: number): TrainServices['embed'] =>
    async (texts, part) => {
      if (part === failsAt) throw new RangeError('no money left');
      asked.push(part);
      expect(texts.length).toBeLessThanOrEqual(256);
      return texts.map(text => (text === null ? null : vectorOf(text)));
    };
  // The caller's own error comes back to it.
  await expect(shop.training.train(job, { embed: embed(1) })).rejects.toBeInstanceOf(RangeError);
  expect(asked).toEqual([0]);
  const card = await shop.training.train(job, { embed: embed(-1) });
  expect(asked).toEqual([0, 1, 2]);
  expect(card.encoder).toEqual(encoder);
  expect(card.features.map(({ name, kind }) => `${name} ${kind}`)).toEqual(['story text', 'noise number']);
  expect(card.metrics?.['r2']).toBeGreaterThan(0.5);
  expect(card.importance[0]?.feature).toBe('story');

  const session = await InferenceSession.create(join(job.target, 'model.onnx'));
  const { prediction } = await session.run({
    story: new Tensor('float32', vectorOf('A zebra was seen at the river 5 days after the zebra'), [1, 8]),
    noise: new Tensor('float64', [NaN], [1, 1]),
  });
  await session.release();
  expect(prediction?.dims).toEqual([1]);
});

test('vectors of another length are refused', async () => {
  const job = shop.job('regression', source, config, encoder);
  await expect(
    shop.training.train(job, { embed: async texts => texts.map(() => new Float32Array(3)) }),
  ).rejects.toMatchObject({ code: 'EMBEDDING_FAILED' });
});

test('max_seconds ends a run that still computes vectors, with the reason, and asks for no more', async () => {
  const job = shop.job('regression', source, { ...config, maxSeconds: 4 }, encoder);
  const asked: number[] = [];
  const embed: TrainServices['embed'] = async (texts, part) => {
    asked.push(part);
    await sleep(4_100);
    return texts.map(() => null);
  };
  await expect(shop.training.train(job, { embed })).rejects.toMatchObject({
    code: 'NOT_TRAINABLE',
    message: expect.stringMatching(/max_seconds \(4\).* vectors/),
    param: 'config.max_seconds',
  });
  expect(asked).toEqual([0]);
});

test('the seconds of a process that was killed while it prepared count', async () => {
  const job = shop.job('regression', source, { algorithm: 'linear', epochs: 1 }, encoder);
  const kill = () => shop.training.processIds.forEach(id => process.kill(id, 'SIGKILL'));
  const killed = shop.training.train(
    job,
    { embed: () => new Promise(() => {}) },
    { onEvent: () => setTimeout(kill, 4_000) },
  );
  await expect(killed).rejects.toMatchObject({ code: 'FAILED' });
  const card = await shop.training.train(job, { embed: async texts => texts.map(() => null) });
  expect(card.seconds).toBeGreaterThan(3);
});

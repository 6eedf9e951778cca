// The loop by itself, with a small network and texts of its own: what the clock, the order of samples and broken numbers decide.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { shuffle } from '../random.ts';
import type { Row } from './columns.ts';
import { divided } from './division.ts';
import { type LoopOptions, trainLanguage } from './loop.ts';
import { Network } from './network.ts';
import { decoderOf, planLanguage, scratchConfig } from './plan.ts';
import { samplesOf } from './samples.ts';
import type { LanguageConfig } from './types.ts';
import { learntVocabulary } from './vocabulary.ts';

vi.mock('../random.ts', { spy: true });
vi.setConfig({ testTimeout: 60_000 });

const texts = Array.from({ length: 12 }, (_, i) => `${i} ships sail to the ${i % 3} islands behind ${i * 7} waves`);

async function* each<Value>(values: Iterable<Value>): AsyncGenerator<Value> {
  yield* values;
}

/** All that a run of the texts needs; `train` begins it. */
async function prepared(config: LanguageConfig, overrides: { longestRow?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-loop-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const maxLength = 64;
  const vocabulary = await learntVocabulary(folder, () => each(texts), 512);
  const decoder = decoderOf({
    ...scratchConfig(0, maxLength),
    vocab_size: vocabulary.tokenizer.vocabularySize,
    hidden_size: 32,
    head_dim: 8,
    intermediate_size: 32,
    num_hidden_layers: 1,
  });
  const rows = texts.map((text): Row => ({ text }));
  const data = await samplesOf(each(rows), vocabulary, { maxLength });
  const planned = planLanguage(config, {
    samples: data.samples.length,
    tokens: data.samples.tokens,
    maxLength,
    decoder,
    precision: null,
    limits: { memoryBytes: 2 ** 30, threads: 1 },
  });
  const plan = { ...planned, longestRow: maxLength, ...overrides };
  const network = await Network.open({
    config: decoder,
    settings: { weightDecay: plan.weightDecay, clip: plan.clip, keep: plan.keep, longest: maxLength },
    threads: 1,
    learners: plan.learners,
    base: null,
    lora: null,
  });
  onTestFinished(() => network.release());
  for (const { name, shape } of network.trained)
    network
      .view(name)
      .forEach((_, i, values) => (values[i] = shape.length === 1 ? 1 : 0.02 * Math.sin(i * 1.7 + name.length)));
  const division = divided(data.samples.rows, plan);
  const train = (options: Partial<LoopOptions> = {}) =>
    trainLanguage(
      network,
      { plan, samples: data.samples, division, questions: [], vocabulary },
      {
        checkpoint: join(folder, 'checkpoint'),
        checkpointSeconds: 1000,
        maxSeconds: null,
        elapsed: () => 0,
        signal: new AbortController().signal,
        onEpoch: () => undefined,
        onAnswer: () => undefined,
        progress: () => undefined,
        ...options,
      },
    );
  return { network, plan, train };
}

test('weights that a broken number reached are not the best of anything', async () => {
  const { network, train } = await prepared({ epochs: 1, validationSplit: 0.25 });
  vi.spyOn(network, 'loss').mockResolvedValue(NaN);
  await expect(train()).rejects.toMatchObject({ code: 'NOT_TRAINABLE', param: 'config.learning_rate' });

  const without = await prepared({ epochs: 1, validationSplit: 0 });
  vi.spyOn(without.network, 'update').mockResolvedValue(Infinity);
  await expect(without.train()).rejects.toMatchObject({ code: 'NOT_TRAINABLE', param: 'config.learning_rate' });

  const later = await prepared({ epochs: 3, validationSplit: 0.25 });
  const whole = later.network.loss.bind(later.network);
  vi.spyOn(later.network, 'loss').mockImplementation(async part => {
    const loss = await whole(part);
    return later.network.step > later.plan.training / later.plan.batch + 1 ? NaN : loss;
  });
  expect(await later.train()).toMatchObject({ stopped: 'diverged', bestEpoch: 1, curves: [{ epoch: 1 }] });
});

test('the clock is looked at within a step, which is then made of the parts that are done', async () => {
  const { network, train } = await prepared({ epochs: 1, batchSize: texts.length }, { longestRow: 64 });
  const [learn, update] = [vi.spyOn(network, 'learn'), vi.spyOn(network, 'update')];
  const { stopped, curves } = await train({ maxSeconds: 2, elapsed: () => learn.mock.calls.length });
  expect(learn).toHaveBeenCalledTimes(2);
  const learnt = learn.mock.calls.reduce((sum, [part]) => sum + part.places.length, 0);
  expect(update.mock.calls.map(([, total]) => total)).toEqual([learnt]);
  expect(stopped).toBe('max_seconds');
  expect(curves[0]?.training_loss).toBeGreaterThan(0);
});

test('samples are put in order once an epoch, not once a step', async () => {
  const { plan, train } = await prepared({ epochs: 2, batchSize: 2, validationSplit: 0.25 });
  expect(plan.training / plan.batch).toBeGreaterThan(3);
  vi.mocked(shuffle).mockClear();
  await train();
  expect(shuffle).toHaveBeenCalledTimes(2);
});

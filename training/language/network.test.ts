// Training a layer at a time against PEFT and PyTorch on the same small weights, adapters and texts (nets/fixtures/make_decoders.py).
import { ADAPTABLE, DecoderWeights, openDecoder, type Precision } from '@vectorium/nets';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readShared } from '../files.ts';
import { Network, type Part } from './network.ts';
import { packed } from './packing.ts';

const fixtures = join(import.meta.dirname, '../../nets/fixtures/decoders');

interface Expected {
  rank: number;
  alpha: number;
  samples: { ids: number[]; prompt: number }[];
  start: Record<string, number[]>;
  gradients: Record<string, number[]>;
  losses: number[];
}

async function opened(
  model: string,
  {
    precision = 'f32',
    clip = 1e9,
    weightDecay = 0.01,
    keep = true,
    learners = 1,
  }: { precision?: Precision; clip?: number; weightDecay?: number; keep?: boolean; learners?: number } = {},
) {
  const { lora } = JSON.parse(await readFile(join(fixtures, model, 'expected.json'), 'utf8')) as { lora: Expected };
  const source = await openDecoder(join(fixtures, model));
  const weights = new DecoderWeights(source, { precision, version: '', form: 'rows' });
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-network-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const network = await Network.open({
    config: source.config,
    settings: { weightDecay, clip, keep, longest: 64 },
    threads: learners,
    learners,
    base: {
      weights,
      async bytes() {
        await weights.write(join(folder, 'base'));
        return readShared(join(folder, 'base'));
      },
    },
    lora: { rank: lora.rank, alpha: lora.alpha, layers: ADAPTABLE },
  });
  onTestFinished(() => network.release());
  for (const [name, values] of Object.entries(lora.start)) network.view(name).set(values);
  const samples = lora.samples.map(({ ids, prompt }) => ({
    ids: Int32Array.from(ids),
    learnt: Uint8Array.from(ids, (_, i) => Number(i >= prompt)),
  }));
  return { lora, network, samples };
}

async function step(network: Network, parts: readonly Part[], rate: number) {
  let loss = 0;
  for (const part of parts) loss += await network.learn(part);
  const total = parts.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
  const norm = await network.update(rate, total);
  return { loss: loss / total, norm };
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (value, i) => Math.abs(value - (b[i] ?? NaN))).reduce(
    (most, value) => (value > most ? value : most),
    0,
  );

test.each(['llama', 'smollm', 'qwen2', 'mistral'])(
  '%s: fifty steps lose what PEFT loses, with texts packed one behind the other',
  async name => {
    const { lora, network, samples } = await opened(name);
    const parts = packed(samples, { longestRow: 64, learners: 1 });
    expect(parts).toHaveLength(1);
    const losses: number[] = [];
    for (let i = 0; i < 50; i++) losses.push((await step(network, parts, 1e-2)).loss);
    expect(farthest(losses, lora.losses)).toBeLessThan(1e-3);
  },
);

test.each(['llama', 'qwen2'])('%s: the gradient of every adapter is that of PEFT', async name => {
  const { lora, network, samples } = await opened(name);
  const parts = packed(samples.toReversed(), { longestRow: 20, learners: 1 });
  expect(parts.length).toBeGreaterThan(1);
  for (const part of parts) await network.learn(part);
  const total = parts.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
  for (const [path, gradient] of Object.entries(lora.gradients)) {
    const found = network.view(path, network.gradients).map(value => value / total);
    expect(farthest(found, gradient), path).toBeLessThan(1e-4);
  }
});

test('what is kept for the way back and what is computed again give the same gradient', async () => {
  const [kept, again] = [await opened('qwen2'), await opened('qwen2', { keep: false })];
  for (const { network, samples } of [kept, again])
    for (const part of packed(samples, { longestRow: 20, learners: 1 })) await network.learn(part);
  expect(farthest(kept.network.gradients, again.network.gradients)).toBeLessThan(1e-4);
});

test('learners that share a part give the gradient of one', async () => {
  const [one, three] = [await opened('smollm'), await opened('smollm', { learners: 3 })];
  const losses = [];
  for (const { network, samples } of [one, three]) {
    const parts = packed(samples, { longestRow: 20, learners: 3 });
    let loss = 0;
    for (const part of parts) loss += await network.learn(part);
    losses.push(loss);
  }
  expect(losses[0]).toBeCloseTo(losses[1] ?? NaN, 4);
  expect(farthest(one.network.gradients, three.network.gradients)).toBeLessThan(1e-4);
});

test('parts, packing and the length of the filling change nothing', async () => {
  const { network, samples } = await opened('smollm');
  const sums = async (options: { longestRow: number; learners: number }) => {
    let loss = 0;
    for (const part of packed(samples, options)) loss += await network.loss(part);
    return loss;
  };
  const whole = await sums({ longestRow: 64, learners: 1 });
  expect(await sums({ longestRow: 20, learners: 1 })).toBeCloseTo(whole, 3);
  expect(await sums({ longestRow: 20, learners: 4 })).toBeCloseTo(whole, 3);
});

test('on a base in 4 bits the loss falls too', async () => {
  const { network, samples } = await opened('smollm', { precision: 'q4', clip: 0.5 });
  const parts = packed(samples, { longestRow: 64, learners: 1 });
  const steps = [];
  for (let i = 0; i < 30; i++) steps.push(await step(network, parts, 1e-2));
  expect(steps.at(-1)?.loss).toBeLessThan((steps[0]?.loss ?? 0) / 2);
});

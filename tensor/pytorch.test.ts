// Whole networks and optimisers against what PyTorch computes (fixtures/make.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { repeat } from './control.ts';
import type { Tensor } from './expression.ts';
import { layerNorm, multiHeadAttention, rmsNorm, rotaryEmbedding, softmaxCrossEntropy } from './fused.ts';
import { gradients } from './gradients.ts';
import * as t from './operators.ts';
import { adamStart, adamW, clipByNorm, sgd, zeros } from './optimisers.ts';
import { cosineDecay, warmUp } from './schedules.ts';
import { expectClose, prepare, type Values } from './testing.ts';
import { named } from './tree.ts';

type Named<T> = Readonly<Record<string, T>>;
interface Network {
  readonly inputs: Named<Values>;
  readonly parameters: Named<Values>;
  readonly loss: number;
  readonly gradients: Named<Values>;
}
const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as T;

/** The tensors of a fixture by name. */
type Pick = (name: string) => Tensor;
const picker =
  (tensors: Named<Tensor>): Pick =>
  name => {
    const found = tensors[name];
    if (!found) throw new Error(`the fixture has no ${name}`);
    return found;
  };

async function compare(name: string, lossOf: (inputs: Pick, parameters: Pick) => Tensor): Promise<void> {
  const given = fixture<Network>(name);
  const inputsOf = (values: Named<Values>) =>
    Object.fromEntries(
      Object.entries(values).map(([key, { shape }]) => [key, t.input(key, shape, WHOLE.has(key) ? 'i64' : 'f32')]),
    );
  const parameters = inputsOf(given.parameters);
  const loss = lossOf(picker(inputsOf(given.inputs)), picker(parameters));
  const types = Object.fromEntries([...WHOLE].map(key => [key, 'int64' as const]));
  const { run, release } = await prepare({ loss, ...named('gradients', gradients(loss, parameters)) }, types);
  const found = await run({ ...given.inputs, ...given.parameters });
  await release();
  expect(found['loss']?.data[0]).toBeCloseTo(given.loss, 5);
  for (const [key, expected] of Object.entries(given.gradients)) {
    const gradient = found[`gradients.${key}`];
    if (!gradient) throw new Error(`${key} has no gradient`);
    expectClose(gradient, expected, 1e-5);
  }
}
const WHOLE: ReadonlySet<string> = new Set(['ids', 'labels']);

describe('gradients', () => {
  test('of a network with every activation', async () => {
    const activations = [
      t.relu,
      t.tanh,
      t.silu,
      t.gelu,
      (x: Tensor) => t.gelu(x, 'tanh'),
      t.sigmoid,
      t.softplus,
      t.selu,
      t.mish,
    ];
    await compare('network', (inputs, parameters) => {
      const layer = (x: Tensor, i: number) =>
        t.add(t.matmul(x, parameters(`w${i}`), { transB: true }), parameters(`b${i}`));
      const hidden = activations.reduce((x, activation, i) => activation(layer(x, i)), inputs('x'));
      return t.mean(softmaxCrossEntropy(layer(hidden, activations.length), inputs('labels')), [0]);
    });
  });

  test('of a decoder with rotary attention, norms, SwiGLU and tied embeddings', async () => {
    const heads = 2;
    await compare('decoder', (inputs, parameters) => {
      const [tokens, longest] = [5, 5];
      const linear = (x: Tensor, name: string) => t.matmul(x, parameters(name), { transB: true });
      const rotation = {
        positions: t.expand(t.range(tokens), [2, tokens]),
        cosines: inputs('cosines'),
        sines: inputs('sines'),
      };
      const later = t.greater(t.reshape(t.range(longest), [1, longest]), t.reshape(t.range(tokens), [tokens, 1]));
      const attentionBias = t.reshape(t.where(later, -1e9, t.filled([tokens, longest], 0)), [1, 1, tokens, longest]);
      let x = t.gather(parameters('embedding'), inputs('ids'));
      const normed = rmsNorm(x, parameters('norm1'), 1e-5);
      const query = rotaryEmbedding(linear(normed, 'q'), rotation, { heads });
      const key = rotaryEmbedding(linear(normed, 'k'), rotation, { heads });
      const attended = multiHeadAttention({ query, key, value: linear(normed, 'v'), attentionBias }, { heads });
      x = t.add(x, linear(attended, 'o'));
      const second = layerNorm(x, { scale: parameters('norm2'), shift: parameters('shift2') }, 1e-5);
      x = t.add(x, linear(t.mul(t.silu(linear(second, 'gate')), linear(second, 'up')), 'down'));
      const logits = linear(rmsNorm(x, parameters('norm3'), 1e-5), 'embedding');
      return t.mean(softmaxCrossEntropy(logits, inputs('labels')), [0, 1]);
    });
  });
});

describe('optimisers step by step', () => {
  const given = fixture<{ start: Named<Values>; gradients: Named<Values>; runs: Named<Named<Values>> }>('optimisers');
  type Weights = { weight: Tensor; bias: Tensor };
  const start: Weights = { weight: t.input('weight', [3, 2]), bias: t.input('bias', [2]) };
  const slopes: Weights = { weight: t.input('dWeight', ['steps', 3, 2]), bias: t.input('dBias', ['steps', 2]) };

  const withAdam = (settings: (step: Tensor) => Parameters<typeof adamW>[1], clip?: number) => () =>
    repeat('steps', { parameters: start, state: adamStart(start) }, ({ parameters, state }, iteration) => {
      const found = slopesOf(iteration);
      const scale = clip === undefined ? 1 : clipByNorm(found, clip).scale;
      const next = adamW({ parameters, gradients: found, state }, { ...settings(t.cast(iteration, 'f32')), scale });
      return { state: next, collect: next.parameters };
    }).collected;
  const withSgd =
    (settings: Parameters<typeof sgd>[1], clip = 1e9) =>
    () =>
      repeat('steps', { parameters: start, state: zeros(start) }, ({ parameters, state }, iteration) => {
        const clipped = clipByNorm(slopesOf(iteration), clip).gradients;
        const next = sgd({ parameters, gradients: clipped, state }, settings);
        return { state: next, collect: next.parameters };
      }).collected;
  const slopesOf = (iteration: Tensor): Weights => ({
    weight: t.gather(slopes.weight, iteration),
    bias: t.gather(slopes.bias, iteration),
  });

  const RUNS: Record<string, () => Weights> = {
    AdamW: withAdam(() => ({ rate: 0.05 })),
    'AdamW where only the weight decays': withAdam(() => ({
      rate: 0.05,
      betas: [0.8, 0.95],
      epsilon: 1e-4,
      weightDecay: 0.1,
      decays: path => path === 'weight',
    })),
    'AdamW, clipped, with a schedule': withAdam(
      step => ({ rate: t.mul(t.mul(warmUp(step, 5), cosineDecay(step, 20, 0.1)), 0.1) }),
      0.7,
    ),
    SGD: withSgd({ rate: 0.1 }),
    'SGD, clipped': withSgd({ rate: 0.1 }, 1.5),
    'SGD with momentum': withSgd({ rate: 0.1, momentum: 0.9 }),
    'SGD of Nesterov with decay': withSgd({ rate: 0.1, momentum: 0.8, nesterov: true, weightDecay: 0.05 }),
  };

  test.each(Object.keys(given.runs))('%s', async name => {
    const make = RUNS[name];
    if (!make) throw new Error(`the test has no ${name}`);
    const { run, release } = await prepare(named('after', make()));
    const { weight, bias } = given.gradients;
    if (!weight || !bias) throw new Error('the fixture has no gradients');
    const found = await run({ ...given.start, dWeight: weight, dBias: bias });
    await release();
    for (const [key, expected] of Object.entries(given.runs[name] ?? {})) {
      const after = found[`after.${key}`];
      if (!after) throw new Error(`${key} did not come out`);
      expectClose(after, expected, 2e-6);
    }
  });
});

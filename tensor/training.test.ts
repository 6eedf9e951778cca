// Whole training runs in a Loop.
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { repeat } from './control.ts';
import type { Tensor } from './expression.ts';
import { softmaxCrossEntropy } from './fused.ts';
import { gradients } from './gradients.ts';
import { toOnnx } from './onnx/emit.ts';
import { add, gather, input, matmul, mean, relu } from './operators.ts';
import { adamStart, adamW } from './optimisers.ts';
import { named } from './tree.ts';
import { noise } from './testing.ts';

type Parameters = { w1: Tensor; b1: Tensor; w2: Tensor; b2: Tensor };
const network = (x: Tensor, { w1, b1, w2, b2 }: Parameters): Tensor =>
  add(matmul(relu(add(matmul(x, w1), b1)), w2), b2);

test('a network learns in a Loop what it was shown', async () => {
  const shapes = { w1: [2, 16], b1: [16], w2: [16, 2], b2: [2] };
  const parameters = {
    w1: input('w1', shapes.w1),
    b1: input('b1', shapes.b1),
    w2: input('w2', shapes.w2),
    b2: input('b2', shapes.b2),
  };
  const xs = input('x', ['steps', 'batch', 2]);
  const labels = input('labels', ['steps', 'batch'], 'i64');
  const { state, collected } = repeat('steps', { parameters, adam: adamStart(parameters) }, (before, iteration) => {
    const logits = network(gather(xs, iteration), before.parameters);
    const loss = mean(softmaxCrossEntropy(logits, gather(labels, iteration)), [0]);
    const step = adamW(
      { parameters: before.parameters, gradients: gradients(loss, before.parameters), state: before.adam },
      { rate: 0.02 },
    );
    return { state: { parameters: step.parameters, adam: step.state }, collect: loss };
  });
  const session = await InferenceSession.create(toOnnx({ loss: collected, ...named('new', state.parameters) }));
  const [steps, batch] = [200, 32];
  const data = Float32Array.from({ length: steps * batch * 2 }, () => Math.random() * 2 - 1);
  const classes = BigInt64Array.from({ length: steps * batch }, (_, i) =>
    BigInt((data[2 * i] ?? 0) * (data[2 * i + 1] ?? 0) > 0),
  );
  const weights = Object.entries(shapes).map(([name, shape]) => {
    return [name, new OrtTensor('float32', Float32Array.from(noise(...shape).data), shape)] as const;
  });
  const { loss } = await session.run({
    ...Object.fromEntries(weights),
    x: new OrtTensor('float32', data, [steps, batch, 2]),
    labels: new OrtTensor('int64', classes, [steps, batch]),
  });
  const losses = Array.from(loss?.data as Float32Array);
  expect(losses).toHaveLength(steps);
  expect(Math.max(...losses.slice(-10))).toBeLessThan(0.3);
});

// Loops and recomputation: what they give, and what they compute when.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { accumulate } from './accumulate.ts';
import { checkpoint, repeat } from './control.ts';
import type { Tensor } from './expression.ts';
import { gradients } from './gradients.ts';
import { toGraph, toOnnx } from './onnx/emit.ts';
import type { OnnxGraph } from './onnx/messages.ts';
import * as t from './operators.ts';
import { dropout } from './random.ts';
import { evaluate, expectClose, noise, values } from './testing.ts';
import { leaves, like, mapTree, named, tensorsOf, zipTrees } from './tree.ts';

const bodyOf = (graph: OnnxGraph): OnnxGraph => {
  const body = graph.nodes.flatMap(({ attributes: { body: found } }) =>
    typeof found === 'object' && 'graph' in found ? [found.graph] : [],
  )[0];
  if (!body) throw new Error('the graph has no loop');
  return body;
};
const operators = ({ nodes }: OnnxGraph) => nodes.map(({ operator }) => operator);

describe('repeat', () => {
  const xs = t.input('xs', ['steps', 'batch', 2]);
  const given = { xs: values([3, 1, 2], [1, 2, 3, 4, 5, 6]) };

  test('the state goes from turn to turn, and what is collected comes out stacked', async () => {
    const start = t.filled(['batch', 2], 0);
    const { state, collected } = repeat('steps', start, (total, i) => {
      const next = t.add(total, t.gather(xs, i));
      return { state: next, collect: { next, twice: t.mul(next, 2) } };
    });
    expectClose(await evaluate(state, given), values([1, 2], [9, 12]));
    expectClose(await evaluate(collected.next, given), values([3, 1, 2], [1, 2, 4, 6, 9, 12]));
    expectClose(await evaluate(collected.twice, given), values([3, 1, 2], [2, 4, 8, 12, 18, 24]));
  });

  test('what does not depend on the turn is computed before the loop', () => {
    const { state } = repeat('steps', t.filled(['batch', 2], 0), (total, i) => ({
      state: t.add(t.add(total, t.gather(xs, i)), t.tanh(t.input('shift', [2]))),
      collect: [],
    }));
    const graph = toGraph({ state });
    expect(operators(graph)).toContain('Tanh');
    expect(operators(bodyOf(graph))).toEqual(['Gather', 'Add', 'Add', 'Identity']);
  });

  test('state may stay as it is, change places, come twice or from outside', async () => {
    const [a, b, outer] = [t.scalar(1), t.scalar(2), t.scalar(7)];
    const { state, collected } = repeat(3, { a, b, kept: t.scalar(5), c: a, d: a }, before => ({
      state: { a: before.b, b: before.a, kept: before.kept, c: before.b, d: outer },
      collect: [before.a, outer],
    }));
    const all = t.concat([...tensorsOf(state).map(x => t.reshape(x, [1])), ...collected], 0);
    expectClose(await evaluate(all), values([11], [2, 1, 5, 2, 7, 1, 2, 1, 7, 7, 7]));
  });

  test('loops within loops see the variables around them', async () => {
    const { state } = repeat(3, t.scalar(0), (total, i) => {
      const inner = repeat(2, total, (sum, j) => ({
        state: t.add(sum, t.cast(t.add(t.mul(i, 10), j), 'f32')),
        collect: [],
      }));
      return { state: inner.state, collect: [] };
    });
    expectClose(await evaluate(state), values([], [63])); // Σ over i < 3, j < 2 of 10 i + j
  });

  test('a turn that changes a shape is an error with both, and so is a variable outside of its loop', () => {
    const start = { total: t.filled(['batch', 2], 0) };
    expect(() => repeat(3, start, ({ total }) => ({ state: { total: t.sum(total, [1]) }, collect: [] }))).toThrow(
      'repeat: total goes in as f32 [batch, 2] and comes out as f32 [batch]',
    );
    let escaped: Tensor | undefined;
    repeat(3, start, before => {
      escaped = before.total;
      return { state: before, collect: [] };
    });
    expect(() => toGraph({ y: escaped ?? t.scalar(0) })).toThrow('total belongs to a loop and is used outside of it');
  });
});

describe('checkpoint', () => {
  const x = t.input('x', ['rows', 4]);
  const [w1, w2] = [t.input('w1', [4, 4]), t.input('w2', [4, 4])];
  const layer = (w: Tensor) => (h?: Tensor) => t.tanh(t.matmul(t.sin(h ?? x), w));
  const lossOf = (keep: boolean) => {
    const apply = (h: Tensor, w: Tensor) => (keep ? layer(w)(h) : checkpoint(layer(w), h));
    return t.sum(t.square(apply(apply(x, w1), w2)), [0, 1]);
  };
  const feeds = { x: noise(3, 4), w1: noise(4, 4), w2: noise(1, 4, 4) };
  const given = { ...feeds, w2: values([4, 4], feeds.w2.data) };

  test('gradients are the same, of operands and of what is captured', async () => {
    const [kept, again] = [true, false].map(keep => gradients(lossOf(keep), { x, w1, w2 }));
    if (!kept || !again) throw new Error('nothing to compare');
    for (const name of ['x', 'w1', 'w2'] as const)
      expectClose(await evaluate(again[name], given), await evaluate(kept[name], given), 0);
  });

  test('what is made of weights and draws inside of it is the same the second time, also in a loop', async () => {
    const seed = t.input('seed', [], 'i64');
    const trained = (keep: boolean) =>
      repeat(3, { w: w1 }, ({ w }, step) => {
        const inside = (h?: Tensor) => {
          const turned = t.matmul(h ?? x, t.transpose(t.tanh(w), [1, 0]));
          return t.sin(dropout(turned, 0.4, { seed, step, stream: 0 }));
        };
        const y = keep ? inside(t.sin(x)) : checkpoint(inside, t.sin(x));
        const loss = t.sum(t.square(y), [0, 1]);
        return { state: { w: t.sub(w, t.mul(gradients(loss, w), 0.1)) }, collect: loss };
      }).state.w;
    const all = { x: given.x, w1: given.w1, seed: values([], [3]) };
    const [kept, again] = await Promise.all([true, false].map(keep => evaluate(trained(keep), all, { seed: 'int64' })));
    if (!kept || !again) throw new Error('nothing to compare');
    expectClose(again, kept, 0);
  });

  test('inner values are computed again, and ONNX Runtime does not merge them with the first ones', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vectorium-tensor-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const sines = async (keep: boolean) => {
      const path = join(folder, `${keep}.onnx`);
      const graph = toOnnx(named('gradient', gradients(lossOf(keep), { x, w1, w2 })));
      await (
        await InferenceSession.create(graph, { optimizedModelFilePath: path, graphOptimizationLevel: 'extended' })
      ).release();
      return new Set((await readFile(path, 'latin1')).match(/Sin_\d+/g)).size;
    };
    expect([await sines(true), await sines(false)]).toEqual([2, 4]);
  });
});

test('accumulated gradients are those of the whole batch', async () => {
  const x = t.input('x', ['rows', 3]);
  const w = t.input('w', [3, 2]);
  const lossOf = (rows: Tensor) => t.sum(t.square(t.tanh(t.matmul(rows, w))), [0, 1]);
  const parts = t.input('parts', ['count', 2, 3]);
  const whole = gradients(lossOf(x), w);
  const { loss, gradients: summed } = accumulate('count', w, part => lossOf(t.gather(parts, part)));
  const data = noise(8, 3).data;
  const given = { w: noise(3, 2), x: values([8, 3], data), parts: values([4, 2, 3], data) };
  const { x: _, ...inParts } = given;
  expectClose(await evaluate(summed, inParts), await evaluate(whole, { w: given.w, x: given.x }));
  expectClose(await evaluate(loss, inParts), await evaluate(lossOf(x), { w: given.w, x: given.x }));
});

test('trees are walked by path, together, and put together again', () => {
  const [a, b, c] = [t.scalar(1), t.scalar(2), t.scalar(3)];
  const tree = { first: a, layers: [{ weight: b }, { weight: c }] };
  expect(leaves(tree)).toEqual([
    ['first', a],
    ['layers.0.weight', b],
    ['layers.1.weight', c],
  ]);
  expect(Object.keys(named('new', tree))).toEqual(['new.first', 'new.layers.0.weight', 'new.layers.1.weight']);
  expect(like(tree, [c, b, a])).toEqual({ first: c, layers: [{ weight: b }, { weight: a }] });
  expect(mapTree(tree, (x, path) => (path === 'first' ? b : x)).first).toBe(b);
  const [left, right] = zipTrees([tree, like(tree, [c, b, a])], ([x, y]) => [y, x] as const);
  expect([left.first, right.layers[1]?.weight]).toEqual([c, c]);
  expect(() => zipTrees<Tensor[], [Tensor[], Tensor[]], [Tensor]>([[a, b], [a]], ([x]) => [x])).toThrow(
    "2, 1 tensors don't walk together",
  );
});

// The ONNX files that are written and read.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { add, constant, expand, input, matmul, mul, parameter, reshape, scalar } from '../operators.ts';
import { toOnnx } from './emit.ts';
import { describeOnnx, graftOnnx } from './graft.ts';
import type { OnnxNode } from './messages.ts';
import { content, fields, inMemory, Message } from './protobuf.ts';

test('numbers of any size survive protobuf', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.uint8Array(), (number, bytes) => {
      const source = inMemory(new Message().integer(3, number).bytes(900, bytes).float(5, 0.5).finish());
      const [first, second, third, ...rest] = [...fields(source)];
      expect(rest).toEqual([]);
      expect(BigInt.asIntN(64, first?.value ?? 0n)).toBe(number);
      expect([second?.number, second && content(source, second)]).toEqual([900, bytes]);
      expect(
        third && new DataView(content(source, third).buffer, content(source, third).byteOffset).getFloat32(0, true),
      ).toBe(0.5);
    }),
  );
});

test('a file that is cut off is an error', () => {
  const whole = new Message().bytes(1, new Uint8Array(100)).finish();
  expect(() => [...fields(inMemory(whole.subarray(0, 50)))]).toThrow('runs past the end');
  expect(() => describeOnnx(inMemory(new Uint8Array()))).toThrow('no ONNX file');
});

test('the same expressions give the same bytes', () => {
  const [first, second] = [1, 2].map(() => {
    const x = input('x', ['batch', 4]);
    return toOnnx({ y: add(mul(x, 2), matmul(x, constant(new Float32Array(16), [4, 4]))), z: mul(x, 2) });
  });
  expect(first).toEqual(second);
});

test('an expression that is used twice is computed once', () => {
  const x = input('x', [2]);
  const twice = mul(x, 2);
  const bytes = toOnnx({ y: add(twice, twice) });
  expect(new TextDecoder().decode(bytes).match(/Mul_\d+/g)).toHaveLength(3); // its own name, and two uses
});

test('outputs may be inputs, constants, or one value under two names', async () => {
  const x = input('x', [2]);
  const double = mul(x, 2);
  const session = await InferenceSession.create(toOnnx({ a: x, b: scalar(7), c: double, d: double }));
  const { a, b, c, d } = await session.run({ x: new OrtTensor('float32', [1, 2]) });
  expect([a, b, c, d].map(t => Array.from(t?.data as Float32Array))).toEqual([[1, 2], [7], [2, 4], [2, 4]]);
});

test('a dimension that no input has, and two values of one name, are errors', () => {
  expect(() => toOnnx({ y: expand(scalar(1), ['batch']) })).toThrow('no input has the dimension batch');
  expect(() => toOnnx({ y: add(input('x', [1]), input('x', [1])) })).toThrow('two values are named x');
  expect(() => toOnnx({ x: mul(input('x', [1]), 2) })).toThrow('an input and an output are both named x');
});

test('parameters are read from their place in another file, wherever that is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tensor-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const weights = Float32Array.from({ length: 4096 }, (_, i) => i);
  for (const offset of [0, 4, 5, 4093]) {
    const file = `weights-${offset}.bin`;
    await writeFile(join(folder, file), Buffer.concat([Buffer.alloc(offset, 255), Buffer.from(weights.buffer)]));
    const w = parameter('w', [64, 64], { data: { file, offset, bytes: 4 * 4096 } });
    const path = join(folder, `${offset}.onnx`);
    await writeFile(path, toOnnx({ y: matmul(input('x', ['batch', 64]), w, { transB: true }), z: reshape(w, [4096]) }));
    const session = await InferenceSession.create(path);
    const { y, z } = await session.run({ x: new OrtTensor('float32', new Float32Array(64).fill(1), [1, 64]) });
    expect(z?.data).toEqual(weights);
    expect(y?.data[1]).toBe(64 * 64 + (63 * 64) / 2);
    await session.release();
  }
});

test('a ready model gets other inputs and outputs; its weights are referred to where they lie', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tensor-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const table = Float32Array.from({ length: 1024 }, (_, i) => i / 1024);
  const ready = toOnnx({ y: matmul(input('x', ['rows', 32]), constant(table, [32, 32])) });
  await writeFile(join(folder, 'ready.onnx'), ready);
  const model = describeOnnx(inMemory(ready));
  expect(model.inputs).toEqual([{ name: 'x', type: 1, shape: ['rows', 32] }]);
  expect(model.outputs).toEqual([{ name: 'y', type: 1, shape: ['rows', 32] }]);

  const grafted = graftOnnx(inMemory(ready), {
    file: 'ready.onnx',
    before: {
      nodes: [negation('x', 'minus x')],
      initializers: [],
      inputs: [{ name: 'x', dtype: 'f32', shape: ['rows', 32] }],
      outputs: [{ name: 'positive', dtype: 'f32', shape: ['rows', 32] }],
    },
    rename: { x: 'minus x' },
    after: [negation('y', 'positive')],
  });
  expect(ready.length).toBeGreaterThan(4 * 1024);
  expect(grafted.length).toBeLessThan(400);
  const described = describeOnnx(inMemory(grafted));
  expect(described.operators).toEqual(new Set(['Neg', 'MatMul']));
  expect(described.weights.map(({ bytes }) => bytes)).toEqual([4 * 1024]);
  const path = join(folder, 'grafted.onnx');
  await writeFile(path, grafted);
  const feeds = { x: new OrtTensor('float32', new Float32Array(32).fill(1), [1, 32]) };
  const before = await (await InferenceSession.create(ready)).run(feeds);
  const after = await (await InferenceSession.create(path)).run(feeds);
  expect(Object.keys(after)).toEqual(['positive']);
  expect(after['positive']?.data).toEqual(before['y']?.data);
});

const negation = (of: string, output: string): OnnxNode => ({
  operator: 'Neg',
  domain: '',
  inputs: [of],
  outputs: [output],
  attributes: {},
});

// Adapters over a base in the rotated basis against the same over the base as it was published.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { ADAPTED_KINDS, adapterNames } from './adapted.ts';
import { type Adapter, readAdapter, rotatedAdapter } from './adapter.ts';
import { promptGraph } from './prompt.ts';
import { openDecoder } from './source.ts';
import { Cache, runPrompt } from './testing.ts';
import { DecoderWeights } from './weights.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

test.each(['smollm', 'qwen2'])('%s: an adapter adds the same in the rotated basis', async name => {
  const source = await openDecoder(join(FIXTURES, name));
  const { config } = source;
  const [weights, settings] = ['adapter_model.safetensors', 'adapter_config.json'].map(file =>
    join(FIXTURES, name, 'adapters/all', file),
  );
  if (!weights || !settings) throw new Error('two names have two paths');
  const read = () => readAdapter(config, { weights, config: settings });
  const said = async (rotated: boolean, adapter: Adapter) => {
    const folder = await mkdtemp(join(tmpdir(), 'vectorium-adapter-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const base = new DecoderWeights(source, { precision: 'f32', version: '', rotated });
    await writeFile(join(folder, 'model.onnx'), promptGraph(config, base, { adapters: true }));
    await base.write(join(folder, base.file));
    const session = await InferenceSession.create(join(folder, 'model.onnx'), { intraOpNumThreads: 1 });
    const cache = new Cache(config, 16);
    return (await runPrompt(session, cache, { config, ids: [5, 17, 3, 80], inputs: inputsOf(adapter) })).at(-1) ?? [];
  };
  const plain = await said(false, await read());
  expect(farthest(await said(true, await rotatedAdapter(await read(), source)), plain)).toBeLessThan(1e-3);
  expect(farthest(await said(true, await read()), plain)).toBeGreaterThan(0.1);
});

function inputsOf({ stacks }: Adapter): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  for (const kind of ADAPTED_KINDS)
    for (const [layer, { a, b }] of stacks[kind].layers.entries()) {
      const { rank } = stacks[kind];
      const names = adapterNames(layer, kind);
      inputs[names.a] = new Tensor('float32', a, [rank, a.length / rank]);
      inputs[names.b] = new Tensor('float32', b, [rank, b.length / rank]);
    }
  return inputs;
}

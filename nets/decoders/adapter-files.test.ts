// An adapter's files: what GGUF's order of rows is, by the same reader that opens base models, and PEFT's by the one of adapters.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readGguf } from '../weights/gguf.ts';
import { readAdapter } from './adapter.ts';
import { ggufAdapter, peftFiles } from './adapter-files.ts';
import { openDecoder, readValues, rowsInOrder } from './source.ts';

const base = join(import.meta.dirname, '../fixtures/decoders/smollm');
const lora = { rank: 2, alpha: 4, layers: ['q_proj', 'down_proj'] } as const;

const tensor = (name: string, shape: [number, number]) => ({
  name,
  shape,
  data: Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i + 1),
});

async function made() {
  const { config } = await openDecoder(base);
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-adapter-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const queries = config.heads * config.headSize;
  const tensors = [
    tensor('layers.0.self_attn.q_proj.a', [2, config.hidden]),
    tensor('layers.0.self_attn.q_proj.b', [queries, 2]),
    tensor('layers.1.mlp.down_proj.a', [2, config.intermediate]),
    tensor('layers.1.mlp.down_proj.b', [config.hidden, 2]),
  ];
  return { config, folder, tensors, queries };
}

test('GGUF: names, scale, and rows of queries where llama.cpp turns neighbours', async () => {
  const { config, folder, tensors, queries } = await made();
  const path = join(folder, 'adapter.gguf');
  await writeFile(path, Buffer.concat(ggufAdapter(tensors, { lora, config, architecture: 'llama' })));
  const { metadata, tensors: found } = await readGguf(path);
  expect(Object.fromEntries(metadata)).toEqual({
    'general.architecture': 'llama',
    'general.type': 'adapter',
    'adapter.type': 'lora',
    'adapter.lora.alpha': 4,
  });
  expect([...found.keys()]).toEqual([
    'blk.0.attn_q.weight.lora_a',
    'blk.0.attn_q.weight.lora_b',
    'blk.1.ffn_down.weight.lora_a',
    'blk.1.ffn_down.weight.lora_b',
  ]);
  const stored = found.get('blk.0.attn_q.weight.lora_b');
  if (!stored) throw new Error('the adapter has queries');
  const values = await readValues(folder, stored);
  const order = rowsInOrder(queries, config.heads);
  for (let row = 0; row < queries; row++) expect(values[2 * (order[row] ?? 0)]).toBe(2 * row + 1);
});

test("PEFT: this server's own reader takes it", async () => {
  const { config, folder, tensors } = await made();
  const files = peftFiles(tensors, { lora, base: 'owner/name', revision: '0' });
  const [weights, settings] = [join(folder, 'adapter_model.safetensors'), join(folder, 'adapter_config.json')];
  await writeFile(weights, Buffer.concat(files.weights));
  await writeFile(settings, JSON.stringify(files.config));
  const { stacks } = await readAdapter(config, { weights, config: settings });
  expect(stacks.qkv.rank).toBe(2);
  expect(stacks.down.layers[1]?.a.slice(0, 3)).toEqual(Float32Array.of(1, 2, 3));
});

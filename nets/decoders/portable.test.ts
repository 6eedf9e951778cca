// The graph that others load, run as Transformers.js does, against what `transformers` and `peft` compute with the same weights.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { readAdapter } from './adapter.ts';
import type { DecoderConfig } from './config.ts';
import { AdapterValues, portableGraph } from './portable.ts';
import { openDecoder } from './source.ts';
import { greatest } from './testing.ts';
import { DecoderWeights } from './weights.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

interface Text {
  ids: number[];
  last?: number[];
  continued: number[];
}

async function opened(name: string, adapter?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-portable-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const source = await openDecoder(join(FIXTURES, name));
  const weights = new DecoderWeights(source, { precision: 'f32', version: '', file: 'base.bin' });
  const place = join(FIXTURES, name, ...(adapter ? ['adapters', adapter] : []));
  const values =
    adapter === undefined
      ? null
      : new AdapterValues(
          await readAdapter(source.config, {
            weights: join(place, 'adapter_model.safetensors'),
            config: join(place, 'adapter_config.json'),
          }),
          'adapter.bin',
        );
  await writeFile(join(folder, 'model.onnx'), portableGraph(source.config, weights, values));
  await weights.write(join(folder, 'base.bin'));
  await writeFile(join(folder, 'adapter.bin'), values?.all ?? []);
  const session = await InferenceSession.create(join(folder, 'model.onnx'), { intraOpNumThreads: 1 });
  onTestFinished(() => session.release());
  const json: unknown = JSON.parse(await readFile(join(place, 'expected.json'), 'utf8'));
  return { session, config: source.config, texts: (adapter ? json : (json as { texts: Text[] }).texts) as Text[] };
}

const whole = (rows: readonly number[][]): Tensor =>
  new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]?.length ?? 0]);

/** The next tokens of texts that are padded on the left, and the logits of the first of them. */
async function continued(
  session: InferenceSession,
  { config, texts, steps }: { config: DecoderConfig; texts: readonly number[][]; steps: number },
): Promise<{ said: number[][]; first: Float32Array[] }> {
  const longest = Math.max(...texts.map(({ length }) => length));
  let ids = texts.map(text => [...Array.from({ length: longest - text.length }, () => 0), ...text]);
  const mask = texts.map(text => Array.from({ length: longest }, (_, i) => Number(i >= longest - text.length)));
  const { keyValueHeads, headSize, layers, vocabulary } = config;
  let past: Record<string, Tensor> = Object.fromEntries(
    Array.from({ length: layers }, (_, layer) => ['key', 'value'].map(of => `past_key_values.${layer}.${of}`))
      .flat()
      .map(name => [name, new Tensor('float32', new Float32Array(), [texts.length, keyValueHeads, 0, headSize])]),
  );
  const said = texts.map((): number[] => []);
  let first: Float32Array[] = [];
  for (let step = 0; step < steps; step++) {
    // As Hugging Face counts them: what is padding has the position 1.
    const positions = mask.map(row =>
      row.map((_, i) => (row[i] ? row.slice(0, i + 1).reduce((a, b) => a + b, 0) - 1 : 1)),
    );
    const tokens = ids[0]?.length ?? 0;
    const found = await session.run({
      input_ids: whole(ids),
      attention_mask: whole(mask),
      position_ids: whole(positions.map(row => row.slice(-tokens))),
      ...past,
    });
    past = Object.fromEntries(
      Object.entries(found).flatMap(([name, tensor]) =>
        name === 'logits' ? [] : [[name.replace('present', 'past_key_values'), tensor]],
      ),
    );
    const logits = found['logits']?.data as Float32Array;
    const last = texts.map((_, i) => logits.slice(((i + 1) * tokens - 1) * vocabulary, (i + 1) * tokens * vocabulary));
    if (step === 0) first = last;
    ids = last.map(row => [greatest(row)]);
    ids.forEach(([id = 0], i) => said[i]?.push(id));
    for (const row of mask) row.push(1);
  }
  return { said, first };
}

test.each<[string, string?]>([['llama'], ['smollm'], ['qwen2'], ['mistral'], ['smollm', 'all'], ['qwen2', 'few']])(
  '%s %s: says what the reference says, texts of different lengths at once',
  async (name, adapter) => {
    const { session, config, texts } = await opened(name, adapter);
    const { said, first } = await continued(session, { config, texts: texts.map(({ ids }) => ids), steps: 8 });
    expect(said).toEqual(texts.map(each => each.continued));
    for (const [i, { last }] of texts.entries()) if (last) expect(farthest(first[i] ?? [], last)).toBeLessThan(2e-4);
  },
);

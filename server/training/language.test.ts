// From a table of prompts and answers to a language model, with the real training: the job, what is shown of the model, its files, and
// what is refused before.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDecoder } from '@vectorium/nets';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type TestServer, startDatasetServer } from '../datasets/testing.ts';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startDatasetServer();
  ({ key } = await server.account({ limits: { data: { minute: null, day: null } } }));
}, 60_000);

afterAll(() => server.end());

const rows = Array.from({ length: 60 }, (_, i) => `what is ${i} and ${i % 7}?,sum: ${i + (i % 7)}`);
const upload = async (text: string) => (await server.upload<{ dataset_id: string }>(key, text)).body.dataset_id;
const train = (dataset: string, config: object, type = 'llm') =>
  server.ask<{ model_id: string; message: string; estimate: { memory_bytes: number; seconds: number } }>(
    'POST',
    '/api/v2/models/train',
    key,
    {
      dataset_id: dataset,
      model_type: type,
      config,
    },
  );

interface Shown {
  status: string;
  error: object | null;
  model_type: string;
  algorithm: string;
  metrics: { loss: number; perplexity: number };
  config: Record<string, unknown>;
  curves: object[];
  language: { answers: { epoch: number }[] };
  files: { name: string }[];
}

test('a model from scratch: trained, shown, downloaded', { timeout: 180_000 }, async () => {
  const dataset = await upload(`prompt,completion\n${rows.join('\n')}\n`);
  const begun = await train(dataset, { base_model: 'scratch', epochs: 2, batch_size: 8, learning_rate: 0.003 });
  expect(begun.status, JSON.stringify(begun.body)).toBe(200);
  expect(begun.body.estimate).toMatchObject({ tokens: expect.any(Number), cut_samples: 0 });
  expect(begun.body.estimate.memory_bytes).toBeGreaterThan(100e6);
  expect(begun.body.estimate.seconds).toBeGreaterThan(0);
  const path = `/api/v2/models/${begun.body.model_id}`;
  let model: Shown;
  do model = (await server.ask<Shown>('GET', path, key, undefined, { prefer: 'wait=60' })).body;
  while (model.status === 'queued' || model.status === 'running');
  expect(model, JSON.stringify(model.error)).toMatchObject({
    status: 'succeeded',
    model_type: 'llm',
    algorithm: 'scratch',
    config: { base_model: 'scratch', epochs: 2, batch_size: 8, learning_rate: 0.003 },
    rows: { training: 51, validation: 9 },
  });
  expect(model.metrics.perplexity).toBeCloseTo(Math.exp(model.metrics.loss), 6);
  expect(model.curves).toHaveLength(2);
  expect(new Set(model.language.answers.map(({ epoch }) => epoch)).size).toBeGreaterThan(1);
  expect(model.files.map(({ name }) => name)).toContain('model.safetensors');
  const peft = await server.ask<{ message: string }>('GET', `${path}/download?format=peft`, key);
  expect(peft).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('formats are zip, card, onnx') },
  });
  const predicted = await server.ask('POST', '/api/v2/models/predict', key, {
    model_id: begun.body.model_id,
    input: { data: [{ prompt: 'x' }] },
  });
  expect(predicted.status).toBe(400);

  const zip = await server.fetch(`${path}/download`, key);
  expect(zip.headers.get('content-type')).toBe('application/zip');
  const folder = await mkdtemp(join(tmpdir(), 'language-model-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'model.zip'), new Uint8Array(await zip.arrayBuffer()));

  execFileSync('python3', ['-m', 'zipfile', '-e', 'model.zip', '.'], { cwd: folder });
  const { config, tensors } = await openDecoder(folder);
  expect(tensors.get('embed_tokens.weight')?.shape).toEqual([config.vocabulary, config.hidden]);

  const portable = await server.fetch(`${path}/download?format=onnx`, key);
  expect(portable.headers.get('content-type')).toBe('application/zip');
  await writeFile(join(folder, 'onnx.zip'), new Uint8Array(await portable.arrayBuffer()));
  execFileSync('python3', ['-m', 'zipfile', '-e', 'onnx.zip', 'portable'], { cwd: folder });
  expect((await readdir(join(folder, 'portable'), { recursive: true })).toSorted()).toEqual([
    'README.md',
    'card.json',
    'config.json',
    'generation_config.json',
    'onnx',
    'onnx/model.onnx',
    'onnx/model.onnx_data',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
});

test('what can not be trained is refused before there is a job', async () => {
  const dataset = await upload(`prompt,completion\n${rows.join('\n')}\n`);
  const refused = async (config: object, type?: string) => {
    const { status, body } = await train(dataset, config, type);
    return `${status}: ${body.message}`;
  };
  expect(await refused({ base_model: 'nobody' })).toMatch(
    /^400: There is no base model "nobody": .*smollm2_135m.*scratch/,
  );
  expect(await refused({ base_model: 'scratch', target: 'completion' })).toMatch(/^400: target is no setting/);
  expect(await refused({ max_length: 64 }, 'classification')).toMatch(/^400: max_length is no setting/);
  expect(await refused({ base_model: 'scratch', text: 'nothing' })).toBe('400: There is no column "nothing"');
  expect(await refused({ base_model: 'scratch', lora: { rank: 4 } })).toMatch(
    /^400: A model from scratch has no adapters/,
  );
});

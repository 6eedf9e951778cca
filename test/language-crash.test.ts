// Killing the server in the middle of teaching a language model: it goes on from its last checkpoint, and the adapter is the one of a
// training that was never interrupted.
import type { ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { spawnServer, testData } from '../server/datasets/testing.ts';
import { tinyBase } from './tiny-base.ts';

type Server = Awaited<ReturnType<typeof spawnServer>>;

interface Shown {
  status: string;
  error: object | null;
  curves: { epoch: number; training_loss: number }[];
  files: { name: string; sha256: string }[];
}

const epochs = 32;

test('a fine-tuning that is killed goes on, and ends with the same adapter', { timeout: 240_000 }, async () => {
  const data = await dataWithBase();
  const running = new Set<ChildProcess>();
  onTestFinished(async () => {
    for (const child of running) child.kill('SIGKILL');
    await data.remove();
  });
  let server = await spawnServer(data, running);
  const { key } = await server.account({ limits: { data: { minute: null, day: null } } });
  const rows = Array.from({ length: 48 }, (_, i) => `${i}+${i % 7},${i + (i % 7)}`);
  const { body } = await server.upload<{ dataset_id: string }>(key, `prompt,completion\n${rows.join('\n')}\n`);
  const whole = await ready(server, key, await train(server, key, body.dataset_id));

  const killed = await train(server, key, body.dataset_id);
  while ((await look(server, key, killed)).curves.length < epochs / 4) await sleep(20);
  const before = await look(server, key, killed);
  expect(before.status).toBe('running');
  await server.kill();
  server = await spawnServer(data, running);
  const shown = await ready(server, key, killed);
  expect(shown.curves.map(each => each.training_loss)).toEqual(whole.curves.map(each => each.training_loss));
  expect(adapterOf(shown)).toBe(adapterOf(whole));

  // As they were told: up to the kill, then from the checkpoint on, which is no longer ago than it may be.
  const told = await epochsTold(server, key, killed);
  const again = told.findIndex((epoch, i) => i > 0 && epoch <= (told[i - 1] ?? 0));
  const resumedAt = again < 0 ? epochs : (told[again] ?? 0);
  expect(resumedAt).toBeGreaterThan(1);
  await server.stop();
});

/** A data folder whose catalog has a small random base model, and a state that is kept every half second. */
async function dataWithBase() {
  const data = await testData();
  const catalog = join(data.path, 'models.json');
  const { models } = JSON.parse(await readFile(catalog, 'utf8')) as { models: object };
  const tiny = await tinyBase(join(data.path, 'base'));
  await writeFile(catalog, JSON.stringify({ models: { ...models, tiny } }));
  const environment = {
    ...data.environment,
    VECTORIUM_TRAINING_CHECKPOINT_SECONDS: '0.5',
    VECTORIUM_TRAINING_THREADS: '1',
  };
  return { ...data, environment };
}

async function train(server: Server, key: string, dataset: string): Promise<string> {
  const config = { base_model: 'tiny', epochs, early_stopping: false, validation_split: 0, seed: 3, batch_size: 4 };
  const asked = { dataset_id: dataset, model_type: 'llm', config };
  for (;;) {
    const { status, body } = await server.ask<{ model_id: string }>('POST', '/v2/models/train', key, asked);
    if (status === 200) return body.model_id;
    // The base is being fetched.
    expect(status, JSON.stringify(body)).toBe(503);
    await sleep(200);
  }
}

const look = async (server: Server, key: string, id: string): Promise<Shown> =>
  (await server.ask<Shown>('GET', `/v2/models/${id}`, key)).body;

async function ready(server: Server, key: string, id: string): Promise<Shown> {
  for (;;) {
    const shown = await look(server, key, id);
    if (shown.status === 'succeeded') return shown;
    expect(['queued', 'running'], JSON.stringify(shown.error)).toContain(shown.status);
    await sleep(100);
  }
}

const adapterOf = ({ files }: Shown) => files.find(({ name }) => name === 'adapter_model.safetensors')?.sha256;

/** Numbers of the epochs in the order in which their ends were told. */
async function epochsTold(server: Server, key: string, id: string): Promise<number[]> {
  const events = await (await server.fetch(`/v2/models/${id}/events`, key)).text();
  return events
    .split('\n\n')
    .filter(event => event.includes('event: epoch'))
    .flatMap(event => {
      const json = /^data: (.*)$/m.exec(event)?.[1];
      return json === undefined ? [] : [(JSON.parse(json) as { epoch: number }).epoch];
    });
}

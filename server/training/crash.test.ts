// Killing the server in the middle of a training: it goes on after the start, ends with the model that it would have been, is paid
// once, and leaves nothing over.
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestData, killBeforeTheEnd, spawnServer, testData } from '../datasets/testing.ts';

let data: TestData;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  data = await testData();
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await data.remove();
});

type Server = Awaited<ReturnType<typeof spawnServer>>;

interface Shown {
  job_id: string;
  status: string;
  error: object | null;
  curves: { epoch: number; training_loss: number }[];
  files: { name: string; sha256: string }[];
}

/** A table whose answer follows from its columns. */
function table(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const [left, right] = [(row * 7919) % 101, (row * 104_729) % 97];
    return `${left},${right},${['red', 'green', 'blue'][row % 3]},${left + right > 100 ? 'high' : 'low'}`;
  });
  return `left,right,colour,level\n${lines.join('\n')}\n`;
}

async function train(server: Server, key: string, dataset: string): Promise<string> {
  const config = { algorithm: 'mlp', epochs: 12, early_stopping: false, seed: 3, batch_size: 32 };
  const body = { dataset_id: dataset, model_type: 'classification', config };
  const answer = await server.ask<{ model_id: string }>('POST', '/v2/models/train', key, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.model_id;
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

const onnx = (files: Shown['files']) => files.find(({ name }) => name === 'model.onnx')?.sha256;

test(
  'a training that is killed and stopped ends with the model of one that was not',
  { timeout: 240_000 },
  async () => {
    let server = await spawnServer(data, running);
    const { id: accountId, key } = await server.account();
    const { body } = await server.upload<{ dataset_id: string }>(key, table(1500));
    const whole = await ready(server, key, await train(server, key, body.dataset_id));
    const killed = await train(server, key, body.dataset_id);
    for (const { epochs, end } of [
      { epochs: 2, end: 'kill' },
      { epochs: 5, end: 'stop' },
    ] as const) {
      while ((await look(server, key, killed)).curves.length < epochs) await sleep(20);
      expect((await look(server, key, killed)).status).toBe('running');
      await server[end]();
      server = await spawnServer(data, running);
    }
    const shown = await ready(server, key, killed);
    expect(shown.curves.map(({ epoch }) => epoch)).toEqual(whole.curves.map(({ epoch }) => epoch));
    expect(shown.curves.map(each => each.training_loss)).toEqual(whole.curves.map(each => each.training_loss));
    expect(onnx(shown.files)).toBe(onnx(whole.files));
    const downloaded = await server.fetch(`/v2/models/${killed}/download?format=onnx`, key);
    const bytes = Buffer.from(await downloaded.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(onnx(shown.files));

    const asked = {
      model_id: killed,
      input: {
        data: [
          { left: 90, right: 90 },
          { left: 3, right: 4, colour: 'red' },
        ],
      },
    };
    const predicted = await server.ask<{ predictions: string[] }>('POST', '/v2/models/predict', key, asked);
    expect(predicted.body.predictions).toEqual(['high', 'low']);
    expect(await readdir(join(data.path, 'jobs'))).toEqual([]);
    const kept = await readdir(join(data.path, 'storage', 'objects', 'models', accountId));
    expect(kept).toHaveLength(2);

    await server.stop();
    await killBeforeTheEnd(data, { accountId, id: shown.job_id });
    server = await spawnServer(data, running);
    expect((await ready(server, key, killed)).files).toEqual(shown.files);
    const again = await server.ask('GET', `/v2/jobs/${shown.job_id}`, key, undefined, { prefer: 'wait=30' });
    expect(again.body).toMatchObject({ status: 'succeeded', result: { model_id: killed } });
    expect(await readdir(join(data.path, 'jobs'))).toEqual([]);

    await server.ask('DELETE', `/v2/models/${killed}`, key);
    expect(await readdir(join(data.path, 'storage', 'objects', 'models', accountId))).toHaveLength(1);
    await server.stop();
  },
);

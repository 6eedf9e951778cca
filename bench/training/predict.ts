// How long predictions take through HTTP: single rows of one caller and of eight, 100,000 rows in one request, and as many in a dataset.
//
// node bench/training/predict.ts [--algorithm tabm] [--rows 20000] [--columns 10] [--folder /tmp]. Starts the real server with its embedded
// database, trains a model on made rows (half of the columns numbers, half categories), and measures with kept-open connections. The client
// runs on the same cores.
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from '../../server/main.ts';
import { readSettings } from '../../server/settings.ts';

const { values: options } = parseArgs({
  options: {
    algorithm: { type: 'string' },
    rows: { type: 'string', default: '20000' },
    columns: { type: 'string', default: '10' },
    epochs: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const columns = Number(options.columns);
const key = 'sk-administrator-of-this-bench';
const manyRows = 100_000;

const folder = await mkdtemp(join(options.folder, 'vectorium-predict-'));
const server = await startServer(
  readSettings({
    PORT: '0',
    VECTORIUM_DATA: folder,
    VECTORIUM_ADMIN_KEY: key,
    VECTORIUM_LOG_LEVEL: 'error',
    VECTORIUM_PRELOAD: 'none',
  }),
);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
try {
  await measure();
} finally {
  agent.destroy();
  await server.close();
  await rm(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const uploaded = await call<{ dataset_id: string }>('PUT', '/v2/data/upload?format=csv', table(Number(options.rows)));
  const config = { epochs: Number(options.epochs), ...(options.algorithm && { algorithm: options.algorithm }) };
  const body = { dataset_id: uploaded.dataset_id, model_type: 'classification', config };
  const { model_id: id } = await call<{ model_id: string }>('POST', '/v2/models/train', JSON.stringify(body));
  let model: { status: string; algorithm: string; parameters: number; seconds: number; error: unknown };
  do model = await call('GET', `/v2/models/${id}`, undefined, { prefer: 'wait=60' });
  while (model.status === 'queued' || model.status === 'running');
  if (model.status !== 'succeeded') throw new Error(`training ended ${model.status}: ${JSON.stringify(model.error)}`);
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`);
  console.log(
    `${model.algorithm}, ${model.parameters} parameters, ${columns} columns, trained in ${model.seconds.toFixed(1)} s`,
  );

  const one = (row: number) => JSON.stringify({ model_id: id, input: { data: [objectOf(row)] } });
  for (let row = 0; row < 200; row++) await call('POST', '/v2/models/predict', one(row));
  for (const callers of [1, 8]) {
    const times: number[] = [];
    const started = performance.now();
    const before = process.cpuUsage();
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        for (let row = 0; row < 2000 / callers; row++) {
          const text = one(caller * 1000 + row);
          const from = performance.now();
          await call('POST', '/v2/models/predict', text);
          times.push(performance.now() - from);
        }
      }),
    );
    const { user, system } = process.cpuUsage(before);
    const rate = (1000 * times.length) / (performance.now() - started);
    console.log(
      `one row, ${callers} caller(s): p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms, ${rate.toFixed(0)} a second, ${((user + system) / 1000 / times.length).toFixed(2)} ms of processor time each, client included`,
    );
  }
  for (const [form, row] of [
    ['objects', objectOf],
    ['lists', cells],
  ] as const) {
    const text = JSON.stringify({
      model_id: id,
      input: { data: Array.from({ length: manyRows }, (_, index) => row(index)) },
    });
    const times: number[] = [];
    const single: number[] = [];
    for (let round = 0; round < 3; round++) {
      const from = performance.now();
      const over = new AbortController();
      const large = call('POST', '/v2/models/predict', text).finally(() => over.abort());
      while (!over.signal.aborted) {
        const asked = performance.now();
        await call('POST', '/v2/models/predict', one(round));
        single.push(performance.now() - asked);
      }
      await large;
      times.push(performance.now() - from);
    }
    console.log(
      `${manyRows} rows as ${form} (${(text.length / 1e6).toFixed(1)} MB): ${at(times, 0.5)} ms; single rows meanwhile: p50 ${at(single, 0.5)} ms, p99 ${at(single, 0.99)} ms`,
    );
  }
  const rows = await call<{ dataset_id: string }>('PUT', '/v2/data/upload?format=csv', table(manyRows));
  const operations = [{ type: 'enrich', params: { op: 'predict', model_id: id, probabilities: true } }];
  const from = performance.now();
  const job = JSON.stringify({ dataset_id: rows.dataset_id, operations });
  const { status } = await call<{ status: string }>('POST', '/v2/process', job, { prefer: 'wait=60' });
  console.log(`${manyRows} rows of a dataset (enrich): ${(performance.now() - from).toFixed(0)} ms, ${status}`);
}

function objectOf(row: number): Record<string, number | string> {
  return Object.fromEntries(cells(row).map((cell, column) => [`c${column}`, cell]));
}

function table(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => [...cells(row), label(row)].join(','));
  return [names().join(','), ...lines].join('\n');
}

function names(): string[] {
  return [...Array.from({ length: columns }, (_, column) => `c${column}`), 'label'];
}

function cells(row: number): (number | string)[] {
  return Array.from({ length: columns }, (_, column) =>
    column % 2 === 0
      ? ((row * 7919 + column * 104_729) % 10_007) / 100
      : `value ${(row * (column + 3)) % (5 + column)}`,
  );
}

function label(row: number): string {
  return Number(cells(row)[0]) > 50 === row % 7 > 0 ? 'yes' : 'no';
}

function at(times: number[], share: number): string {
  return (times.toSorted((one, other) => one - other)[Math.floor(share * times.length)] ?? NaN).toFixed(2);
}

function call<Answer>(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = method === 'PUT' ? 'text/csv' : 'application/json';
    const asked = request(
      server.url + path,
      { method, agent, headers: { authorization: `Bearer ${key}`, 'content-type': type, ...headers } },
      response => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          if (response.statusCode === 200) resolve(JSON.parse(text) as Answer);
          else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 500)}`));
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

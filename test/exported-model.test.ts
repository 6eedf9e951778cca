// Trained models in Python's onnxruntime: the same raw columns give the same answers.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openTables } from '@vectorium/tables';
import { openTraining } from '@vectorium/training';
import type { Algorithm, ModelKind } from '@vectorium/training';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';
import { installPython } from './python.ts';

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'exported-'));
const tables = openTables({ scratchFolder: join(folder, 'scratch') });
const training = openTraining({ scratchFolder: join(folder, 'scratch'), threads: 1 });
afterAll(async () => {
  await training.close();
  await tables.close();
  await rm(folder, { recursive: true });
});

const animals = ['deer', 'goose', 'gull', 'owl'];
const encoder = { name: 'stand-in', revision: '1', dimension: 4 };
const vectorOf = (text: string): number[] => animals.map(animal => text.split(animal).length - 1);

/** Rows of every kind of column, a tenth of the cells missing; what nobody saw comes with `strange`. */
const rowOf = (i: number, strange = false) => {
  const cell = <T>(column: number, value: T): T | null => ((i * 7 + column * 3) % 10 === 0 ? null : value);
  return {
    number: cell(1, strange ? 1e9 : Math.sin(i) * 20),
    flag: cell(2, i % 3 === 0),
    day: cell(3, `${1999 + (i % 20)}-0${1 + (i % 9)}-${10 + (i % 18)}`),
    moment: cell(4, `2020-05-${10 + (i % 20)}T0${i % 10}:15:0${i % 7}`),
    group: cell(5, strange ? 'never seen' : `group ${i % 12}`),
    story: cell(6, `${i}: a ${animals[i % 4]} met a ${animals[(i * 3 + 1) % 4]} near the river`),
    score: i % 4 === 0 ? 30 + (i % 5) : (i % 12) + (i % 3 === 0 ? 8 : 0),
    label: ['low', 'middle', 'high'][(i % 12) >> 2] ?? 'low',
  };
};
const rows = Array.from({ length: 24 }, (_, i) => rowOf(1000 + i, i % 3 === 0));

test.for<[ModelKind, Algorithm]>([
  ['classification', 'realmlp'],
  ['classification', 'linear'],
  ['regression', 'tabm'],
  ['regression', 'mlp'],
])('%s by %s', { timeout: 300_000 }, async ([kind, algorithm], { skip }) => {
  const packages = await installPython(['onnxruntime==1.30.0']);
  if (packages === null) return skip('pip can not install onnxruntime here');
  const name = join(folder, `${kind}-${algorithm}`);
  const source = `${name}.parquet`;
  await writeFile(`${name}.ndjson`, Array.from({ length: 400 }, (_, i) => JSON.stringify(rowOf(i))).join('\n'));
  await tables.ingest({ source: `${name}.ndjson`, format: 'ndjson', options: {}, target: source });
  const [target, other] = kind === 'classification' ? ['label', 'score'] : ['score', 'label'];
  const features = ['number', 'flag', 'day', 'moment', 'group', 'story', other];
  const card = await training.train(
    {
      kind,
      source,
      target: name,
      folder: `${name}-job`,
      config: { target, features, algorithm, epochs: 3 },
      dataset: {},
      encoder,
    },
    { embed: async texts => texts.map(text => (text === null ? null : Float32Array.from(vectorOf(text)))) },
  );
  const kinds = card.features.slice(0, 6).map(feature => feature.kind);
  expect(kinds).toEqual(['number', 'boolean', 'date', 'date', 'category', 'text']);

  const columns = Object.fromEntries(
    card.features.map(feature => [
      feature.name,
      rows.map(row => raw(row[feature.name as keyof typeof row], feature.kind)),
    ]),
  );
  const session = await InferenceSession.create(join(name, 'model.onnx'));
  const feeds = card.features.map(({ name: input, kind: of }) => [input, tensor(columns[input] ?? [], of)]);
  const found = await session.run(Object.fromEntries(feeds));
  await session.release();

  await writeFile(`${name}.json`, JSON.stringify({ features: card.features, columns }));
  const script = fileURLToPath(new URL('clients/model.py', import.meta.url));
  const { stdout } = await run('python3', [script, join(name, 'model.onnx'), `${name}.json`], {
    env: { ...process.env, PYTHONPATH: packages },
  });
  const python = JSON.parse(stdout) as Record<string, number[]>;
  expect(Object.keys(python).toSorted()).toEqual(Object.keys(found).toSorted());
  for (const [output, values] of Object.entries(python)) {
    const own = Array.from(found[output]?.data as Float32Array | Float64Array);
    expect(own).toHaveLength(values.length);
    for (const [i, value] of values.entries()) expect(own[i]).toBeCloseTo(value, 4);
  }
});

/** A cell as the model takes it: see `Card`. */
function raw(value: unknown, kind: string): number | string | number[] | null {
  if (kind === 'number') return typeof value === 'number' ? value : null;
  if (kind === 'boolean') return value === null ? null : Number(value);
  if (kind === 'text') return typeof value === 'string' ? vectorOf(value) : [0, 0, 0, 0];
  return typeof value === 'string' ? value : '';
}

function tensor(values: (number | string | number[] | null)[], kind: string): Tensor {
  if (kind === 'text')
    return new Tensor('float32', Float32Array.from(values.flat().map(Number)), [values.length, encoder.dimension]);
  if (kind === 'number' || kind === 'boolean')
    return new Tensor(
      'float64',
      Float64Array.from(values, value => (value === null ? NaN : Number(value))),
      [values.length, 1],
    );
  return new Tensor('string', values.map(String), [values.length, 1]);
}

// Whole runs on real tables: what is learnt, what the folder holds, how a run is told and ended.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { noServices, workshop } from './testing.ts';
import type { TrainEvents } from './types.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

const shop = await workshop();
const penguins = await shop.vega('penguins.json');
const cars = await shop.vega('cars.json');

const number = (value: number) => new Tensor('float64', [value], [1, 1]);
const text = (value: string) => new Tensor('string', [value], [1, 1]);

test('a classifier tells penguins apart, and its folder says everything about it', async () => {
  const job = shop.job('classification', penguins, { target: 'Species', algorithm: 'mlp', epochs: 30, seed: 3 });
  const epochs: TrainEvents['epoch'][] = [];
  const fractions: number[] = [];
  let started: TrainEvents['started'] | undefined;
  const card = await shop.training.train(job, noServices, {
    onProgress: fraction => fractions.push(fraction),
    onEvent: (type, data) => {
      if (type === 'epoch') epochs.push(data as TrainEvents['epoch']);
      else started = data as TrainEvents['started'];
    },
  });
  expect(started).toMatchObject({ rows: { training: 292, validation: 52, test: 0 }, features: 6, algorithm: 'mlp' });
  expect(epochs).toEqual(card.curves);
  expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: card.curves.length }, (_, i) => i + 1));
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(card).toMatchObject({
    kind: 'classification',
    target: { name: 'Species', labels: ['Adelie', 'Chinstrap', 'Gentoo'] },
    rows: { total: 344, without_target: 0 },
    metrics_on: 'validation',
    metrics: { rows: 52, confusion_matrix: { labels: ['Adelie', 'Chinstrap', 'Gentoo'] } },
  });
  expect(card.metrics?.['accuracy']).toBeGreaterThan(0.9);
  expect(card.importance.map(({ feature }) => feature).slice(0, 2)).toContain('Beak Length (mm)');

  expect((await readdir(job.target)).toSorted()).toEqual(['README.md', 'card.json', 'model.onnx']);
  expect(JSON.parse(await readFile(join(job.target, 'card.json'), 'utf8'))).toEqual(card);
  for (const { name, sha256, bytes } of card.files) {
    const content = await readFile(join(job.target, name));
    expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
    expect(content.length).toBe(bytes);
  }
  expect(await readFile(join(job.target, 'README.md'), 'utf8')).toContain('| accuracy |');

  const session = await InferenceSession.create(join(job.target, 'model.onnx'));
  expect(session.inputNames.toSorted()).toEqual(card.features.map(({ name }) => name).toSorted());
  const { prediction, probabilities } = await session.run({
    Island: text('Biscoe'),
    'Beak Length (mm)': number(49.9),
    'Beak Depth (mm)': number(16.1),
    'Flipper Length (mm)': number(213),
    'Body Mass (g)': number(NaN),
    Sex: text('never seen'),
  });
  await session.release();
  expect(prediction?.data[0]).toBe(2);
  expect(Array.from(probabilities?.data as Float32Array).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
});

test('a regression predicts the reach of cars, from dates and categories too', async () => {
  const job = shop.job('regression', cars, { target: 'Miles_per_Gallon', algorithm: 'mlp', epochs: 60 });
  const card = await shop.training.train(job, noServices);
  expect(card.rows).toMatchObject({ total: 406, without_target: 8 });
  expect(card.left_out).toEqual([{ name: 'Name', reason: 'nearly every row has a value of its own' }]);
  expect(card.features.find(({ name }) => name === 'Year')).toMatchObject({ kind: 'date', sql_type: 'DATE' });
  expect(card.metrics?.['r2']).toBeGreaterThan(0.7);
});

test('the same seed gives the same model, bit by bit, and another seed another', async () => {
  const bytes = await Promise.all(
    [5, 5, 6].map(async seed => {
      const job = shop.job('classification', penguins, { target: 'Species', algorithm: 'linear', epochs: 3, seed });
      await shop.training.train(job, noServices);
      return (await readFile(join(job.target, 'model.onnx'))).toString('base64');
    }),
  );
  expect(bytes[0]).toBe(bytes[1]);
  expect(bytes[0]).not.toBe(bytes[2]);
});

test('importance in a table that is sorted by its target is of all classes', async () => {
  const rows = Array.from({ length: 16_000 }, (_, i) => ({
    tells: i < 10_000 ? 0 : 1,
    noise: (i * 7919) % 101,
    y: i < 10_000,
  }));
  const config = { algorithm: 'linear', epochs: 1, learningRate: 0.05, validationSplit: 0.5 } as const;
  const card = await shop.training.train(shop.job('classification', await shop.table(rows), config), noServices);
  expect(card.metrics?.['accuracy']).toBe(1);
  expect(card.importance[0]).toMatchObject({ feature: 'tells' });
  expect(card.importance[0]?.importance).toBeGreaterThan(0.2);
});

test('a cancelled run ends soon and makes no model', async () => {
  const job = shop.job('regression', cars, {
    target: 'Miles_per_Gallon',
    algorithm: 'tabm',
    epochs: 10_000,
    earlyStopping: false,
  });
  const controller = new AbortController();
  let cancelledAt = 0;
  const run = shop.training.train(job, noServices, {
    signal: controller.signal,
    onEvent: type => {
      if (type !== 'epoch' || cancelledAt > 0) return;
      cancelledAt = performance.now();
      controller.abort();
    },
  });
  await expect(run).rejects.toMatchObject({ name: 'TrainingError', code: 'CANCELLED' });
  // A second or two, where nobody else has the processor; the run would take minutes.
  expect(performance.now() - cancelledAt).toBeLessThan(10_000);
  expect(existsSync(job.target)).toBe(false);
  expect(shop.training.processIds).toEqual([]);
});

test('max_seconds ends a run in time, and the best state so far is the model', async () => {
  const job = shop.job('regression', cars, {
    target: 'Miles_per_Gallon',
    algorithm: 'mlp',
    epochs: 100_000,
    earlyStopping: false,
    maxSeconds: 2,
  });
  const card = await shop.training.train(job, noServices);
  expect(card.stopped).toBe('max_seconds');
  expect(card.seconds).toBeLessThan(4);
  expect(existsSync(join(job.target, 'model.onnx'))).toBe(true);
});

test('early stopping keeps the best epoch', async () => {
  const job = shop.job('regression', cars, {
    target: 'Miles_per_Gallon',
    algorithm: 'mlp',
    epochs: 3000,
    learningRate: 0.01,
  });
  const card = await shop.training.train(job, noServices);
  expect(card.stopped).toBe('early_stopping');
  const losses = card.curves.map(({ validation_loss: loss }) => loss ?? NaN);
  expect(losses[card.best_epoch - 1]).toBe(Math.min(...losses));
  expect(card.curves.length).toBe(card.best_epoch + Number(card.config['patience']));
});

test('twenty rows are trained on whole, and the card says that nothing was measured', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => ({
    size: i,
    shape: i % 3 === 0 ? 'round' : 'flat',
    y: i % 2 === 0,
  }));
  const job = shop.job('classification', await shop.table(rows), { algorithm: 'linear', epochs: 5 });
  const card = await shop.training.train(job, noServices);
  expect(card).toMatchObject({
    target: { name: 'y', labels: [false, true] },
    rows: { training: 20, validation: 0, test: 0 },
    metrics: null,
    metrics_on: null,
    best_epoch: 5,
  });
});

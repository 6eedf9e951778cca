// The demo's models: in which phase of its flight an aircraft was struck, and how fast it was (see birdstrikes.ts for the table).
// What is shown of them is measured on rows that they have never seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { birdstrikesFile, type Steps } from './birdstrikes.ts';

interface Shown {
  model_id: string;
  status: string;
  progress: number;
  algorithm: string;
  parameters: number;
  seconds: number;
  labels: string[];
  rows: { training: number; validation: number; test: number };
  metrics: Record<string, number>;
  curves: { epoch: number; training_loss: number }[];
  importance: { feature: string; importance: number }[];
  error: { message: string } | null;
}

interface Predicted {
  predictions: (string | number)[];
  probabilities?: Record<string, number>[];
}

type Row = Record<string, string | number | null>;

const phase = 'Phase of flight';
const speed = 'Speed IAS in knots';
const known = [
  'Aircraft Make Model',
  'Flight Date',
  'Origin State',
  phase,
  'Wildlife Size',
  'Wildlife Species',
  'Time of day',
  speed,
];
/** So that the demo stays short; the best model so far is kept. */
const bounds = { epochs: 30, max_seconds: 60 };

/** Trains a classifier and a regressor on the cleaned table, and asks them about rows that were kept from them. */
export async function walkModels({ url, key, title, check, call }: Steps): Promise<void> {
  title('The cleaned table → rows to learn from and rows that no model sees');
  const { dataset_id: id } = await call<{ dataset_id: string }>(url, key, 'POST', '/api/v2/data/upload', {
    file: birdstrikesFile.toString('base64'),
    format: 'csv',
    metadata: { name: 'birdstrikes' },
  });
  const operations = [
    { type: 'clean' },
    { type: 'clean', params: { op: 'drop_nulls', columns: [phase, speed] } },
    { type: 'transform', params: { op: 'split_dataset', fractions: { learn: 0.9, unseen: 0.1 }, seed: 1 } },
  ];
  const split = await finished(await call<Job>(url, key, 'POST', '/api/v2/process', { dataset_id: id, operations }));
  const part = (name: string) => split.outputs.find(output => output.name === name) ?? { dataset_id: '', rows: 0 };
  const [learn, unseen] = [part('learn'), part('unseen')];
  check(learn.rows > 5000 && unseen.rows > 500, `${learn.rows} rows to learn from, ${unseen.rows} kept aside`);
  const page = await call<{ data: Row[] }>(url, key, 'GET', `/api/v2/data/${unseen.dataset_id}/rows?limit=1000`);

  title(`A classifier: ${phase}`);
  const classifier = await trained('classification', phase);
  const { accuracy = 0, baseline_accuracy: baseline = 1, auc = 0 } = classifier.metrics;
  check(
    accuracy > baseline + 0.02 && auc > 0.75,
    `on ${classifier.rows.test} held-out rows ${percent(accuracy)} are right (always saying the most frequent: ${percent(baseline)}), AUC ${auc.toFixed(3)}`,
  );
  console.log(`  what it goes by: ${goesBy(classifier)}`);
  const phases = await predict(classifier.model_id, page.data);
  const right = phases.predictions.filter((label, row) => label === page.data[row]?.[phase]).length;
  for (const row of [0, 1, 2]) {
    const chances = Object.entries(phases.probabilities?.[row] ?? {})
      .toSorted(([, one], [, other]) => other - one)
      .slice(0, 2)
      .map(([label, p]) => `${label} ${percent(p)}`);
    const { [speed]: knots, [phase]: was } = page.data[row] ?? {};
    console.log(`  at ${knots} knots → ${phases.predictions[row]} (${chances.join(', ')}); it was ${was}`);
  }
  check(
    right > (baseline + 0.02) * page.data.length,
    `of ${page.data.length} rows that no model has seen, ${percent(right / page.data.length)} are right`,
  );

  title(`A regressor: ${speed}`);
  const regressor = await trained('regression', speed);
  const { mae = Infinity, r2 = 0 } = regressor.metrics;
  check(
    r2 > 0.3,
    `on held-out rows it is off by ${mae.toFixed(0)} knots on average and explains ${percent(r2)} of the variance`,
  );
  console.log(`  what it goes by: ${goesBy(regressor)}`);
  await call(url, key, 'PUT', '/api/v2/models/aliases/speed@production', { model_id: regressor.model_id });
  const [approach, climb] = (
    await predict('speed@production', [
      { ...page.data[0], [phase]: 'Take-off run' },
      { ...page.data[0], [phase]: 'Climb' },
    ])
  ).predictions.map(Number);
  check(
    Number(climb) > Number(approach) + 20,
    `the same aircraft: ${approach?.toFixed(0)} knots on its take-off run, ${climb?.toFixed(0)} in its climb (asked as speed@production)`,
  );

  async function trained(type: string, target: string): Promise<Shown> {
    const features = known.filter(name => name !== target);
    const body = {
      dataset_id: learn.dataset_id,
      model_type: type,
      config: { target, features, ...bounds, seed: 1 },
    };
    const { model_id: model } = await call<Shown>(url, key, 'POST', '/api/v2/models/train', body);
    for (;;) {
      const shown = await call<Shown>(url, key, 'GET', `/api/v2/models/${model}`);
      if (process.stdout.isTTY) process.stdout.write(`\r  ${bar(shown.progress)} ${shown.curves.length} epochs `);
      if (shown.status === 'succeeded') {
        const [first] = shown.curves;
        const last = shown.curves.at(-1);
        if (process.stdout.isTTY) process.stdout.write('\r');
        check(
          Number(last?.training_loss) < Number(first?.training_loss),
          `${shown.algorithm} with ${shown.parameters} parameters learned for ${shown.seconds.toFixed(0)} s: ${shown.curves.length} epochs, loss ${first?.training_loss.toFixed(3)} → ${last?.training_loss.toFixed(3)}`,
        );
        return shown;
      }
      if (shown.status !== 'queued' && shown.status !== 'running')
        throw new Error(`training ended ${shown.status}: ${shown.error?.message ?? ''}`);
      await sleep(1000);
    }
  }

  function predict(model: string, data: Row[]): Promise<Predicted> {
    return call<Predicted>(url, key, 'POST', '/api/v2/models/predict', { model_id: model, input: { data } });
  }

  interface Job {
    job_id: string;
    status: string;
    outputs: { name: string; dataset_id: string; rows: number }[];
    error: { message: string } | null;
  }

  async function finished(begun: Job): Promise<Job> {
    let job = begun;
    while (job.status === 'queued' || job.status === 'running') {
      await sleep(500);
      const now = await call<{ result?: object }>(url, key, 'GET', `/api/v2/jobs/${job.job_id}`);
      job = { ...job, ...now, ...now.result };
    }
    if (job.status !== 'succeeded') throw new Error(`processing ended ${job.status}: ${job.error?.message ?? ''}`);
    return job;
  }
}

function goesBy({ importance }: Shown): string {
  const first = importance.toSorted((one, other) => other.importance - one.importance).slice(0, 3);
  return first.map(({ feature, importance: share }) => `${feature} (${share.toFixed(3)})`).join(', ');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function bar(progress: number): string {
  const width = 30;
  const full = Math.round(width * progress);
  return `[${'█'.repeat(full)}${'·'.repeat(width - full)}]`;
}

// A run from the table to the model's folder. Each stage leaves what it made in the job's folder, so that a run that was killed at any
// moment goes on with the stage it was in, and ends with the same model.
import { openReader } from '@vectorium/tables';
import type { Reader } from '@vectorium/tables';
import { createTabular } from '@vectorium/nets';
import type { TabularNetwork } from '@vectorium/nets';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Clock } from './clock.ts';
import { readCard, writeModel } from './model-folder.ts';
import { encodeRows, isEncoded } from './encode.ts';
import { openHeldOut } from './evaluate.ts';
import { readIfThere, syncFolder, writeWhole } from './files.ts';
import { trainLoop } from './loop.ts';
import type { Trained } from './loop.ts';
import { evaluatedRows, readerBytes } from './memory.ts';
import { makePlan } from './plan.ts';
import type { RunPlan } from './plan.ts';
import type { Limits } from './protocol.ts';
import { measure } from './results.ts';
import { openGraph } from './session.ts';
import { fitTemperature } from './temperature.ts';
import { embedTexts } from './text-vectors.ts';
import type { Card, TrainEvents, TrainJob, TrainServices } from './types.ts';

export interface TrainContext {
  limits: Limits;
  services: TrainServices;
  signal: AbortSignal;
  progress: (fraction: number) => void;
  event: <Type extends keyof TrainEvents>(type: Type, data: TrainEvents[Type]) => void;
}

/** Of the whole, about: what comes before the first step, and what after the last. */
const shares = { texts: 0.3, rows: 0.1, results: 0.05 };

export async function train(job: TrainJob, context: TrainContext): Promise<Card> {
  const { folder } = job;
  const made = await readCard(job.target);
  // The process was killed after its last stage, before it could say so.
  if (made) return made;
  await mkdir(folder, { recursive: true });
  const clock = await Clock.open(folder, job.config.maxSeconds ?? null);
  try {
    return await trainFor(clock, job, context);
  } finally {
    clock.close();
  }
}

async function trainFor(clock: Clock, job: TrainJob, context: TrainContext): Promise<Card> {
  const { folder } = job;
  const reader = await openReader({
    source: job.source,
    scratch: folder,
    memoryBytes: readerBytes(context.limits),
    maxSpillBytes: 16 * 2 ** 30,
  });
  const interrupt = () => reader.interrupt();
  context.signal.addEventListener('abort', interrupt);
  try {
    const plan = await planOf(reader, job, context.limits);
    const network = createTabular(plan.tabular);
    context.event('started', {
      rows: plan.split.rows,
      features: plan.features.length,
      algorithm: plan.tabular.algorithm,
      parameters: network.parameters,
    });
    const before = await prepare(reader, { job, plan, network, clock }, context);
    const trained = await run({ job, plan, network, clock, before }, context);
    return await finish(reader, { job, plan, network, clock, trained }, context);
  } finally {
    context.signal.removeEventListener('abort', interrupt);
    reader.close();
  }
}

/** The plan that the job's folder has, or a new one. */
async function planOf(reader: Reader, job: TrainJob, limits: Limits): Promise<RunPlan> {
  const path = join(job.folder, 'plan.json');
  const kept = await readIfThere(path);
  if (kept) return JSON.parse(kept.toString()) as RunPlan;
  const plan = await makePlan(reader, job, limits);
  await writeWhole(path, JSON.stringify(plan));
  return plan;
}

interface Run {
  job: TrainJob;
  plan: RunPlan;
  network: TabularNetwork;
  clock: Clock;
}

/** Vectors of texts, then encoded rows. Gives the share of the whole that this was. Throws TrainingError when the time is over before. */
async function prepare(
  reader: Reader,
  { job, plan, network, clock }: Run,
  { services, signal, progress }: TrainContext,
): Promise<number> {
  const { folder } = job;
  const dimension = job.encoder?.dimension ?? 0;
  const texts = plan.features.some(({ kind }) => kind === 'text') ? shares.texts : 0;
  if (await isEncoded(folder)) return texts + shares.rows;
  const told = (doing: string, from: number, share: number) => {
    clock.checkPreparing(doing);
    return (fraction: number) => {
      progress(from + share * fraction);
      // What is done is done: the loop ends in its own way.
      if (fraction < 1) clock.checkPreparing(doing);
    };
  };
  if (texts > 0)
    await embedTexts(reader, plan, {
      folder,
      dimension,
      services,
      progress: told('computing vectors of texts', 0, texts),
    });
  await encodeRows(
    reader,
    { plan, network },
    { folder, dimension, signal, progress: told('encoding rows', texts, shares.rows) },
  );
  return texts + shares.rows;
}

async function run(
  { job, plan, network, clock, before }: Run & { before: number },
  { limits, signal, progress, event }: TrainContext,
): Promise<Trained & { temperature: number }> {
  const { folder, config } = job;
  const { tabular, split } = plan;
  const outputs = await openGraph(network.outputs(), plan.threads);
  try {
    const validation =
      split.rows.validation > 0
        ? await openHeldOut(
            { folder, part: 'validation', rows: split.rows.validation },
            { network, plan: tabular, outputs, signal },
          )
        : null;
    const trained = await trainLoop(plan, network, {
      folder,
      validation,
      earlyStopping: config.earlyStopping ?? true,
      maxSeconds: config.maxSeconds ?? null,
      checkpointSeconds: limits.checkpointSeconds,
      elapsed: () => clock.seconds(),
      signal,
      onEpoch: epoch => event('epoch', epoch),
      progress: fraction => progress(before + (1 - before - shares.results) * fraction),
    });
    const { target } = tabular;
    const temperature =
      validation && target.kind === 'classes'
        ? fitTemperature(await validation.predict(trained.weights), validation.labels, target.counts.length)
        : 1;
    return { ...trained, temperature };
  } finally {
    await outputs.release();
  }
}

/** Writes the model's folder beside its place, and gives it its name when it is complete and on the disk. */
async function finish(
  reader: Reader,
  { job, plan, network, trained }: Run & { trained: Trained & { temperature: number } },
  { signal }: TrainContext,
): Promise<Card> {
  const { folder, target } = job;
  const model = network.model(trained.weights, { temperature: trained.temperature });
  const { rows } = plan.split;
  const part = rows.test > 0 ? 'test' : rows.validation > 0 ? 'validation' : null;
  const dimension = job.encoder?.dimension ?? 0;
  const results =
    part &&
    (await measure(reader, { plan, model, atOnce: evaluatedRows(network) }, { folder, dimension, part, signal }));
  const partial = `${target}.part`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const card = await writeModel(partial, { job, plan, trained, model, network, part, results });
  await rename(partial, target);
  await syncFolder(dirname(target));
  return card;
}

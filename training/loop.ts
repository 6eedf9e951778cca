// The training itself: calls of many steps each, and between them what must not wait: cancelling, checkpoints, the clock.
//
// Whatever is decided here follows from the plan and the losses, and how many steps a call has changes nothing; so a run that goes on
// from a checkpoint ends with the same weights as one that was never interrupted. The clock alone decides otherwise: `maxSeconds`.
import type { TabularNetwork } from '@vectorium/nets';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Batches, stepsOf } from './batches.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { Checkpoint, Progress } from './checkpoint.ts';
import { rowsPath } from './encode.ts';
import { evaluate } from './evaluate.ts';
import { TrainingError } from './errors.ts';
import type { HeldOut } from './evaluate.ts';
import type { RunPlan } from './plan.ts';
import { feedsOf, floats, floatsOf, openGraph, stateOf, weightsOf, whole } from './session.ts';
import type { State } from './session.ts';
import type { TrainEvents } from './types.ts';

export interface LoopOptions {
  folder: string;
  /** Null without held-out rows. */
  validation: HeldOut | null;
  earlyStopping: boolean;
  maxSeconds: number | null;
  checkpointSeconds: number;
  /** Seconds since the run began, over restarts. */
  elapsed: () => number;
  signal: AbortSignal;
  onEpoch: (epoch: TrainEvents['epoch']) => void;
  progress: (fraction: number) => void;
}

export interface Trained {
  weights: State;
  progress: Progress;
}

/** Long enough that starting a call costs nothing, short enough for whoever waits for an answer. */
const callSeconds = 0.25;
const mostCallBytes = 16 * 2 ** 20;

export const checkpointPath = (folder: string): string => join(folder, 'checkpoint');

export async function trainLoop(plan: RunPlan, network: TabularNetwork, options: LoopOptions): Promise<Trained> {
  const { folder, validation, earlyStopping, maxSeconds, checkpointSeconds, elapsed, signal, onEpoch } = options;
  const { tabular, split } = plan;
  const { steps: stepsOfEpoch, batch } = stepsOf(split.rows.training, tabular.batchSize);
  const { width } = network;
  const total = stepsOfEpoch * tabular.epochs;
  const found = await readCheckpoint(checkpointPath(folder));
  let { progress, state, best } = found ?? (await begin(network, plan.threads));
  // A machine that failed may have forgotten what the checkpoint knows.
  const forgotten = Math.max(0, progress.seconds - elapsed());
  const seconds = () => forgotten + elapsed();
  const graph = await openGraph(network.steps(), plan.threads);
  const batches = await Batches.open({
    path: rowsPath(folder, 'training'),
    rows: split.rows.training,
    width,
    batch,
    seed: plan.seed,
    memoryBytes: plan.rowsInMemoryBytes,
  });
  let stepsOfCall = 1;
  let lastCheckpoint = performance.now();
  try {
    while (progress.stopped === null) {
      if (signal.aborted) {
        // A server that stops in order goes on here.
        await writeCheckpoint(checkpointPath(folder), { progress, state, best });
        throw signal.reason;
      }
      const count = Math.min(stepsOfCall, stepsOfEpoch - progress.step);
      const { xs, ys } = await batches.read(progress.epoch, progress.step, count);
      const began = performance.now();
      const results = await graph.run({
        ...feedsOf(state),
        xs: floats(xs, [count, batch, width]),
        ys: floats(ys, [count, batch]),
        total: whole(total),
      });
      const took = (performance.now() - began) / 1000;
      state = stateOf(results);
      progress.step += count;
      for (const loss of floatsOf(results, 'losses')) progress.lossSum += loss;
      if (!Number.isFinite(progress.lossSum)) {
        progress.stopped = 'diverged';
        break;
      }
      stepsOfCall = Math.max(
        1,
        Math.min(Math.round((count * callSeconds) / took), Math.floor(mostCallBytes / (batch * width * 4))),
      );
      const late = maxSeconds !== null && seconds() >= maxSeconds;
      if (progress.step === stepsOfEpoch || late) await endEpoch(late);
      progress.seconds = seconds();
      options.progress(Math.max(done(), maxSeconds === null ? 0 : Math.min(1, progress.seconds / maxSeconds)));
      if (progress.stopped !== null || performance.now() - lastCheckpoint >= checkpointSeconds * 1000) {
        await writeCheckpoint(checkpointPath(folder), { progress, state, best });
        lastCheckpoint = performance.now();
      }
      // Messages come in and go out between calls.
      await turn();
    }
  } finally {
    await batches.close();
    await graph.release();
  }
  if (!best)
    throw new TrainingError(
      'NOT_TRAINABLE',
      'The loss grew beyond all numbers in the first epoch: choose a smaller learning_rate',
      'config.learning_rate',
    );
  return { weights: best, progress };

  function done(): number {
    return (progress.epoch * stepsOfEpoch + progress.step) / total;
  }

  async function endEpoch(late: boolean): Promise<void> {
    const weights = weightsOf(state);
    const evaluation = validation ? evaluate(await validation.predict(weights), validation.labels, tabular) : null;
    const epoch = progress.epoch + 1;
    const curve = {
      epoch,
      step: progress.epoch * stepsOfEpoch + progress.step,
      training_loss: progress.lossSum / progress.step,
      validation_loss: evaluation?.loss ?? null,
      metrics: evaluation?.metrics ?? {},
      seconds: seconds(),
    };
    const sound = evaluation ? Number.isFinite(evaluation.loss) : areFinite(weights);
    if (sound && (!evaluation || evaluation.loss < (progress.bestLoss ?? Infinity))) {
      best = weights;
      progress.bestEpoch = epoch;
      progress.bestLoss = evaluation?.loss ?? null;
    }
    progress = { ...progress, epoch, step: 0, lossSum: 0, curves: [...progress.curves, curve] };
    if (!sound) progress.stopped = 'diverged';
    else if (epoch === tabular.epochs) progress.stopped = 'epochs';
    else if (late) progress.stopped = 'max_seconds';
    else if (validation && earlyStopping && epoch - progress.bestEpoch >= tabular.patience)
      progress.stopped = 'early_stopping';
    onEpoch(curve);
  }
}

async function begin(network: TabularNetwork, threads: number): Promise<Checkpoint> {
  const graph = await openGraph(network.start(), threads);
  const state = stateOf(await graph.run({}));
  await graph.release();
  return {
    progress: { epoch: 0, step: 0, lossSum: 0, curves: [], bestEpoch: 0, bestLoss: null, seconds: 0, stopped: null },
    state,
    best: null,
  };
}

const areFinite = (weights: State): boolean =>
  Object.values(weights).every(({ data }) => (data as Float32Array).every(Number.isFinite));

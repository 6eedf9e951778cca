// The training itself: part after part, and between two what must not wait: cancelling, checkpoints, the clock.
//
// Whatever is decided here follows from the plan, the samples and the losses; so a run that goes on from a checkpoint, also one in
// the middle of a step, ends with the same weights as one that was never interrupted. The clock alone decides otherwise.
import { setImmediate as turn } from 'node:timers/promises';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import { TrainingError } from '../errors.ts';
import { randomNumbers, shuffle } from '../random.ts';
import type { State } from '../session.ts';
import type { TrainEvents } from '../types.ts';
import { answersTo } from './answer.ts';
import type { Division } from './division.ts';
import type { Network } from './network.ts';
import { answersOf, packed } from './packing.ts';
import { type LanguagePlan, rateOf, stepsOfEpoch } from './plan.ts';
import type { SampleList } from './sample-list.ts';
import type { Question } from './samples.ts';
import type { SampleAnswer } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface LoopOptions {
  checkpoint: string;
  checkpointSeconds: number;
  maxSeconds: number | null;
  /** Seconds since the run began, those of runs before it not counted. */
  elapsed: () => number;
  signal: AbortSignal;
  onEpoch: (epoch: TrainEvents['epoch']) => void;
  onAnswer: (answer: SampleAnswer) => void;
  progress: (fraction: number) => void;
}

interface Extra {
  /** Parts of the step that are done, and the sum of their losses. */
  part: number;
  partLoss: number;
  answers: SampleAnswer[];
}

export type LanguageProgress = Checkpoint<Extra>['progress'];

/** Samples are answered after an epoch where that takes less than this share of it; before the first step and at the end always. */
const answeringShare = 0.1;

export interface LoopInput {
  plan: LanguagePlan;
  samples: SampleList;
  division: Division;
  /** Are answered during the run. */
  questions: readonly Question[];
  vocabulary: Vocabulary;
}

/** Leaves the values of the best epoch in the network. */
export async function trainLanguage(
  network: Network,
  { plan, samples, division: { training, validation }, questions, vocabulary }: LoopInput,
  options: LoopOptions,
): Promise<LanguageProgress> {
  const { checkpoint, checkpointSeconds, maxSeconds, elapsed, signal } = options;
  const steps = stepsOfEpoch(plan);
  const shape = { longestRow: plan.longestRow, learners: plan.learners };
  const at = (index: number) => samples.at(index);
  const heldOut = packed(Array.from(validation, at), shape);

  /** Of the training samples in an epoch. */
  let order = { epoch: -1, indices: training };

  const found = await readCheckpoint<Extra>(checkpoint);
  let best: Float32Array | null = null;
  let progress: LanguageProgress = {
    epoch: 0,
    step: 0,
    lossSum: 0,
    curves: [],
    bestEpoch: 0,
    bestLoss: null,
    seconds: 0,
    stopped: null,
    part: 0,
    partLoss: 0,
    answers: [],
  };
  if (found) {
    progress = found.progress;
    for (const name of ['values', 'gradients', 'sum', 'squares'] as const) {
      const kept = found.state[name];
      if (!kept) throw new Error(`the checkpoint has no ${name}`);
      network[name].set(kept.data);
    }
    network.step = progress.epoch * steps + progress.step;
    best = found.best?.['values']?.data ?? null;
  }
  const before = progress.seconds;
  const seconds = () => before + elapsed();
  const late = () => maxSeconds !== null && seconds() >= maxSeconds;
  /** Whether the clock broke off the last step. */
  let broken = false;
  let [lastCheckpoint, epochBegan, answeringMs] = [performance.now(), performance.now(), 0];
  if (!found) await answer(0);
  while (progress.stopped === null) {
    if (progress.step < steps) await learnStep();
    if (progress.stopped !== null) break;
    const over = late();
    if (progress.step === steps || over) {
      if (performance.now() - lastCheckpoint >= checkpointSeconds * 250) await keep();
      await endEpoch(over);
    }
    if (progress.stopped !== null) await keep();
  }
  if (!best)
    throw new TrainingError(
      'NOT_TRAINABLE',
      'The loss grew beyond all numbers in the first epoch: choose a smaller learning_rate',
      'config.learning_rate',
    );
  network.values.set(best);
  if (progress.answers.at(-1)?.epoch !== progress.bestEpoch) await answer(progress.bestEpoch);
  return progress;

  async function learnStep(): Promise<void> {
    if (order.epoch !== progress.epoch)
      order = {
        epoch: progress.epoch,
        indices: shuffle(training.slice(), randomNumbers(plan.seed, progress.epoch, 1)),
      };
    const chosen = order.indices.slice(progress.step * plan.batch, (progress.step + 1) * plan.batch);
    const parts = packed(Array.from(chosen, at), shape);
    for (let part = parts[progress.part]; part; part = parts[progress.part]) {
      if (signal.aborted) {
        // A server that stops in order goes on here.
        await keep();
        throw signal.reason;
      }
      progress.partLoss += await network.learn(part);
      progress.part++;
      if (performance.now() - lastCheckpoint >= checkpointSeconds * 1000) await keep();
      options.progress(done(progress.part / parts.length));
      // Messages come in and go out between parts.
      await turn();
      if (late()) break;
    }
    // A step that the clock breaks off is made of the parts that are done.
    broken = progress.part < parts.length;
    const total = parts.slice(0, progress.part).reduce((sum, part) => sum + answersOf(part), 0);
    const norm = await network.update(rateOf(plan, network.step), total);
    progress.lossSum += progress.partLoss / Math.max(1, total);
    progress = { ...progress, step: progress.step + 1, part: 0, partLoss: 0 };
    // A gradient without a length leaves weights that are no numbers, whatever the loss before it was.
    if (!Number.isFinite(progress.lossSum + norm)) progress.stopped = 'diverged';
  }

  function done(ofStep: number): number {
    const share = (progress.epoch * steps + progress.step + ofStep) / (steps * plan.epochs);
    return Math.max(share, maxSeconds === null ? 0 : Math.min(1, seconds() / maxSeconds));
  }

  async function keep(): Promise<void> {
    progress.seconds = seconds();
    const { values, gradients, sum, squares } = network;
    const state: State = {
      values: named(values),
      gradients: named(gradients),
      sum: named(sum),
      squares: named(squares),
    };
    await writeCheckpoint<Extra>(checkpoint, { progress, state, best: best && { values: named(best) } });
    lastCheckpoint = performance.now();
  }

  async function answer(epoch: number): Promise<void> {
    const answerBegan = performance.now();
    const said = await answersTo(network, vocabulary, { prompts: questions.map(({ prompt }) => prompt), signal });
    for (const [i, { prompt, expected }] of questions.entries()) {
      const made = { epoch, prompt, expected, answer: said[i] ?? '' };
      progress.answers.push(made);
      options.onAnswer(made);
    }
    answeringMs = performance.now() - answerBegan;
  }

  async function endEpoch(over: boolean): Promise<void> {
    let [loss, total] = [0, 0];
    for (const part of heldOut) {
      signal.throwIfAborted();
      loss += await network.loss(part);
      total += answersOf(part);
      await turn();
    }
    const validationLoss = total > 0 ? loss / total : null;
    if (validationLoss !== null && !Number.isFinite(validationLoss)) {
      progress.stopped = 'diverged';
      return;
    }
    const epoch = progress.epoch + 1;
    const curve = {
      epoch,
      step: progress.epoch * steps + progress.step,
      training_loss: progress.lossSum / progress.step,
      validation_loss: validationLoss,
      metrics: validationLoss === null ? {} : { perplexity: Math.exp(validationLoss) },
      seconds: seconds(),
    };
    if (validationLoss === null || !best || validationLoss < (progress.bestLoss ?? Infinity)) {
      best = network.values.slice();
      progress.bestEpoch = epoch;
      progress.bestLoss = validationLoss;
    }
    const whole = progress.step === steps && !broken;
    progress = { ...progress, epoch, step: 0, lossSum: 0, curves: [...progress.curves, curve] };
    if (epoch === plan.epochs && whole) progress.stopped = 'epochs';
    else if (over) progress.stopped = 'max_seconds';
    else if (validationLoss !== null && plan.earlyStopping && epoch - progress.bestEpoch >= plan.patience)
      progress.stopped = 'early_stopping';
    const sinceEpoch = performance.now() - epochBegan;
    if (answeringMs < answeringShare * sinceEpoch) await answer(epoch);
    epochBegan = performance.now();
    options.onEpoch(curve);
  }
}

const named = (values: Float32Array) => ({ shape: [values.length], data: values });

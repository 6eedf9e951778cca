// The state of a run in one file: a line of JSON, then the numbers of all tensors. It appears whole or not at all.
import { readIfThere, writeWhole } from './files.ts';
import type { State } from './session.ts';
import type { Card, TrainEvents } from './types.ts';

export interface Checkpoint<Extra = object> {
  progress: Progress & Extra;
  /** Weights, sums of the optimiser, number of its step. */
  state: State;
  /** The weights of the best epoch; null before the first epoch has ended. */
  best: State | null;
}

export interface Progress {
  epoch: number;
  /** Steps of the epoch that are done. */
  step: number;
  /** Of these steps, summed in their order. */
  lossSum: number;
  curves: TrainEvents['epoch'][];
  bestEpoch: number;
  /** Null where no rows are held out. */
  bestLoss: number | null;
  /** Of the run and of those that were killed before it. */
  seconds: number;
  stopped: Card['stopped'] | null;
}

/** Changes when what a run keeps for going on, its state or its plan, gets another form or meaning. */
export const LAYOUT = 2;

interface Head<Extra> {
  layout: number;
  progress: Progress & Extra;
  tensors: { of: 'state' | 'best'; name: string; shape: number[] }[];
}

export async function writeCheckpoint<Extra>(
  path: string,
  { progress, state, best }: Checkpoint<Extra>,
): Promise<void> {
  const tensors: Head<Extra>['tensors'] = [];
  const pieces: Uint8Array[] = [];
  for (const [of, values] of [
    ['state', state],
    ['best', best ?? {}],
  ] as const)
    for (const [name, { shape, data }] of Object.entries(values)) {
      tensors.push({ of, name, shape });
      pieces.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  const head: Head<Extra> = { layout: LAYOUT, progress, tensors };
  await writeWhole(path, `${JSON.stringify(head)}\n`, ...pieces);
}

/** Null where there is none, or one that a program of another layout wrote: its run begins anew. */
export async function readCheckpoint<Extra = object>(path: string): Promise<Checkpoint<Extra> | null> {
  const bytes = await readIfThere(path);
  if (!bytes) return null;
  const end = bytes.indexOf(10);
  const { layout, progress, tensors } = JSON.parse(bytes.toString('utf8', 0, end)) as Head<Extra>;
  if (layout !== LAYOUT) return null;
  const found: Record<'state' | 'best', State> = { state: {}, best: {} };
  let at = end + 1;
  for (const { of, name, shape } of tensors) {
    const data = new Float32Array(shape.reduce((product, length) => product * length, 1));
    new Uint8Array(data.buffer).set(bytes.subarray(at, at + data.byteLength));
    found[of][name] = { shape, data };
    at += data.byteLength;
  }
  if (at !== bytes.length) throw new Error('the checkpoint has another length than it says');
  return { progress, state: found.state, best: Object.keys(found.best).length > 0 ? found.best : null };
}

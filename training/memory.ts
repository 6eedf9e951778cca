// What a run will need of memory, before it starts.
import type { TabularNetwork, TabularPlan } from '@vectorium/nets';
import type { Limits } from './protocol.ts';

/** What DuckDB may take before it spills: a cap, of which it needs little unless there are thousands of columns or many rows to sort. */
export const readerBytes = (limits: Limits): number => Math.min(2 ** 30, Math.floor(limits.memoryBytes / 2));
const [readerAtLeast, readerOfColumn] = [64 * 2 ** 20, 160 * 2 ** 10];
/** Node with ONNX Runtime, before there is any data. */
const processBytes = 200 * 2 ** 20;
/** Weights and two averages, as they go in and come out of a call and as the state before; and the best weights. */
const copiesOfWeights = 12;
/** What a step keeps of each layer for its way back: inputs, outputs, masks, gradients. */
const copiesOfLayer = 10;

/** Bytes, about. `heldOut` are the rows of the larger part that is not trained on. */
export function estimateMemory(
  plan: TabularPlan,
  network: TabularNetwork,
  { heldOut, limits }: { heldOut: number; limits: Limits },
): number {
  const setting = (name: string) => {
    const value = plan.settings[name];
    return typeof value === 'number' ? value : 1;
  };
  const layers = network.members * setting('width') * (setting('depth') + 1);
  const rows = Math.min(plan.rows * (network.width + 1) * 4, limits.rowsInMemoryBytes);
  const training = plan.batchSize * copiesOfLayer * (layers + valuesOfRow(network));
  const activations = 4 * Math.max(training, 2 * evaluatedRows(network) * valuesOfRow(network));
  const outputs = heldOut * network.outputCount * 8 * 3;
  const reader = readerAtLeast + readerOfColumn * plan.features.length;
  return Math.round(processBytes + reader + copiesOfWeights * 4 * network.parameters + rows + activations + outputs);
}

/** f32 that the network holds for one row: waves of its numbers, and for each member its layers, of which it keeps two at a time. */
const valuesOfRow = ({ members, width }: TabularNetwork): number => 16 * width + members * (4 * width + 512);
const [evaluatedAtLeast, evaluatedAtMost, evaluatedValues] = [64, 2048, 2 ** 24];

/** Rows whose outputs are computed at once: about 64 MiB. */
export const evaluatedRows = (network: TabularNetwork): number =>
  Math.max(evaluatedAtLeast, Math.min(evaluatedAtMost, Math.floor(evaluatedValues / valuesOfRow(network))));

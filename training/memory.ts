// What a run will need of memory, before it starts.
import type { TabularNetwork, TabularPlan } from '@vectorium/nets';
import type { Limits } from './protocol.ts';

/** Of DuckDB, which runs before and after the training but keeps what it has. */
export const readerBytes = 256 * 2 ** 20;
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
  const layers = network.members * setting('width') * (setting('depth') + 1) + network.width * 2;
  const rows = Math.min(plan.rows * (network.width + 1) * 4, limits.rowsInMemoryBytes);
  const activations = Math.max(plan.batchSize * copiesOfLayer, evaluatedRows * 4) * layers * 4;
  const outputs = heldOut * network.outputCount * 8 * 3;
  return Math.round(
    processBytes + readerBytes + copiesOfWeights * 4 * network.parameters + rows + activations + outputs,
  );
}

/** Rows whose outputs are computed at once. */
export const evaluatedRows = 2048;

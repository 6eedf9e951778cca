// TabM of Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling"
// (ICLR 2025): many perceptrons in one, which share their matrices and differ in scales of rows and columns.
import {
  add,
  type Draw,
  dropout,
  greater,
  matmul,
  mul,
  relu,
  reshape,
  type Tensor,
  transpose,
  uniform,
  where,
} from '@vectorium/tensor';
import {
  type Architecture,
  beside,
  embeddingStart,
  evenly,
  flatWidth,
  numberOf,
  numericOf,
  ones,
  othersOf,
  type Sizes,
} from './architecture.ts';
import { EMBEDDED, embedNumbers, type Periodic, periodicStart } from './periodic.ts';
import type { TabularPlan } from './types.ts';

/** Of all members: weight [in, out]; before [members, 1, in], after and bias [members, 1, out] each. */
type Layer = { weight: Tensor; before: Tensor; after: Tensor; bias: Tensor };
type Weights = {
  embedding: Tensor[];
  /** One, or none where there are no numbers or too many. */
  periodic: Periodic[];
  layers: Layer[];
  /** weight [members, width, outputs], bias [members, 1, outputs]. */
  output: { weight: Tensor; bias: Tensor };
};

export function tabm({ layout, outputs }: Sizes, { settings }: TabularPlan): Architecture<Weights> {
  const setting = (name: string) => numberOf(settings, name);
  const [members, width, depth] = [setting('members'), setting('width'), setting('depth')];
  const periodic = layout.numeric > 0 && settings['periodic'] === true;
  const flat = flatWidth(layout) + (periodic ? (EMBEDDED - 1) * layout.numeric : 0);
  return {
    members,
    start: next => ({
      embedding: embeddingStart(layout, next),
      periodic: periodic ? [periodicStart(layout.numeric, next)] : [],
      layers: Array.from({ length: depth }, (_, i) => {
        const inner = i === 0 ? flat : width;
        const bound = 1 / Math.sqrt(inner);
        const first = () => where(greater(uniform(next(), [members, 1, inner]), 0.5), 1, -1);
        return {
          weight: evenly(next(), [inner, width], bound),
          // Only here do the members differ at first.
          before: i === 0 ? first() : ones([members, 1, inner]),
          after: ones([members, 1, width]),
          bias: evenly(next(), [members, 1, width], bound),
        };
      }),
      output: {
        weight: evenly(next(), [members, width, outputs], 1 / Math.sqrt(width)),
        bias: evenly(next(), [members, 1, outputs], 1 / Math.sqrt(width)),
      },
    }),
    forward: (x, { embedding, periodic: [frequencies], layers, output }, training) => {
      const rows = x.shape[0] ?? 0;
      const numeric = layout.numeric > 0 ? [numericOf(x, layout)] : [];
      const numbers = frequencies ? numeric.map(values => embedNumbers(values, frequencies)) : numeric;
      const row = beside([...numbers, ...othersOf(x, layout, embedding)]);
      const hidden = layers.reduce(
        (before, layer) => dropped(relu(ensembled(before, layer)), setting('dropout'), training?.next()),
        reshape(row, [1, rows, flat]),
      );
      return transpose(add(matmul(hidden, output.weight), output.bias), [1, 0, 2]);
    },
    optimiser: {
      betas: [0.9, 0.999],
      schedule: () => ones([]),
      weightDecay: () => setting('weightDecay'),
      clip: 1,
      decays: path => path.endsWith('weight'),
      labelSmoothing: 0,
    },
  };
}

/** ((x · before) W) · after + bias for each member: [members or 1, rows, in] → [members, rows, out]. */
const ensembled = (x: Tensor, { weight, before, after, bias }: Layer): Tensor =>
  add(mul(matmul(mul(x, before), weight), after), bias);

/** Dropout with one draw for all members: they see the same holes, which costs a fraction of the draws. */
function dropped(x: Tensor, rate: number, draw: Draw | undefined): Tensor {
  const [, ...row] = x.shape;
  return draw && rate > 0 ? mul(x, dropout(ones([1, ...row]), rate, draw)) : x;
}

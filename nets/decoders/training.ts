// The graphs that fine-tune: adapters of low rank beside frozen matrices (Hu et al. 2021, LoRA), trained by whole steps.
//
// State goes in and out by name: each output `next.NAME` of one graph is the input `state.NAME` of the next. Adapters are
// `state.adapters.NAME.a` [rank, inner] and `.b` [outer, rank], named as the layers: 'layers.0.self_attn.q_proj'.
import {
  accumulate,
  add,
  adamStart,
  adamW,
  cast,
  checkpoint,
  clipByNorm,
  concat,
  div,
  equal,
  expand,
  filled,
  gather,
  greater,
  input,
  integers,
  mapTree,
  matmul,
  max,
  mul,
  multiHeadAttention,
  named,
  repeat,
  reshape,
  rotaryEmbedding,
  scalar,
  slice,
  softmaxCrossEntropy,
  sub,
  sum,
  transpose,
  uniform,
  type Tensor,
  toOnnx,
} from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { frozenLinear, multiply } from './linear.ts';
import { decoder, embed, output } from './llama.ts';
import { rotaryTables, scoreScale } from './rotary.ts';
import type { DecoderWeights, Part } from './weights.ts';

export const ADAPTABLE = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type Adaptable = (typeof ADAPTABLE)[number];

/** All that decides adapters and their training; JSON, so that a run that was killed finds it again. */
export interface LoraPlan {
  rank: number;
  /** What an adapter adds is multiplied by alpha / rank. */
  alpha: number;
  layers: readonly Adaptable[];
  weightDecay: number;
  /** The longest that the gradient of all adapters together may be. */
  clip: number;
  seed: number;
  /** Whether a layer's inner values are computed again in the backward pass instead of kept. */
  recompute: boolean;
}

/**
 * Texts of a step come in `parts` that are computed one after the other; a part is [batch, tokens], each row one text or
 * several one behind the other. They don't see each other: `positions` start at 0 with each text, and `texts` numbers
 * them. What is to be learnt are `answers` places of a part, counted through it row by row, each with the token that
 * comes next and a weight: 1, or 0 to fill up.
 *
 * Inputs of `steps`: `ids`, `positions`, `texts` i64 [steps, parts, batch, tokens], `places`, `targets` i64 and `weights`
 * f32 [steps, parts, answers], `rate` f32 [steps], `state.*`. Outputs: `losses` [steps], the mean over all weights of a
 * step, `norms` [steps], the length of the gradient before it was clipped, `next.*`.
 * Inputs of `losses`: the same without `steps` and `rate`, `state.adapters.*`. Outputs: `losses` and `weight` [parts],
 * sums that are still to be divided.
 */
export interface LoraGraphs {
  /** Trained numbers. */
  parameters: number;
  /** Nothing → `next.*`. */
  start(): Uint8Array;
  steps(): Uint8Array;
  losses(): Uint8Array;
}

type Adapters = Record<string, { a: Tensor; b: Tensor }>;

export function loraGraphs(config: DecoderConfig, weights: DecoderWeights, plan: LoraPlan): LoraGraphs {
  const shapes = adapterShapes(config, plan);
  const inputs = Object.fromEntries(
    shapes.map(({ name, inner, outer }) => [
      name,
      {
        a: input(`state.adapters.${name}.a`, [plan.rank, inner]),
        b: input(`state.adapters.${name}.b`, [outer, plan.rank]),
      },
    ]),
  );
  const lossOf = (adapters: Adapters, part: Batch) => lossOfPart(config, weights, { adapters, plan, part });
  return {
    parameters: shapes.reduce((total, { inner, outer }) => total + plan.rank * (inner + outer), 0),
    start() {
      const adapters = Object.fromEntries(
        shapes.map(({ name, inner, outer }, i) => {
          const draw = { seed: scalar(plan.seed, 'i64'), step: scalar(0, 'i64'), stream: i };
          // As PEFT starts: uniform within ±1/√inner (He et al. 2015 with a = √5), so that what is added starts at 0.
          const a = mul(sub(uniform(draw, [plan.rank, inner]), 0.5), 2 / Math.sqrt(inner));
          return [name, { a, b: filled([outer, plan.rank], 0) }];
        }),
      );
      return toOnnx(named('next', { adapters, adam: adamStart(adapters) }));
    },
    steps() {
      const adam = mapTree(adamStart(inputs), ({ shape, dtype }, path) => input(`state.adam.${path}`, shape, dtype));
      const all = batch(['steps', 'parts']);
      const rates = input('rate', ['steps']);
      const { state, collected } = repeat('steps', { adapters: inputs, adam }, (before, step) => {
        const parts = mapTree(all, tensor => gather(tensor, step));
        const summed = accumulate('parts', before.adapters, part =>
          lossOf(
            before.adapters,
            mapTree(parts, tensor => gather(tensor, part)),
          ),
        );
        const total = max(sum(parts.weights, [0, 1]), 1);
        // The gradients are sums still: their length is that of the mean once it is divided, and so is the limit.
        const { norm, scale } = clipByNorm(summed.gradients, mul(total, plan.clip));
        const next = adamW(
          { parameters: before.adapters, gradients: summed.gradients, state: before.adam },
          { rate: gather(rates, step), scale: div(scale, total), weightDecay: plan.weightDecay },
        );
        return {
          state: { adapters: next.parameters, adam: next.state },
          collect: { losses: div(summed.loss, total), norms: div(norm, total) },
        };
      });
      return toOnnx({ losses: collected.losses, norms: collected.norms, ...named('next', state) });
    },
    losses() {
      const all = batch(['parts']);
      const { collected } = repeat('parts', {}, (_, index) => {
        const part = mapTree(all, tensor => gather(tensor, index));
        return { state: {}, collect: { loss: lossOf(inputs, part), weight: sum(part.weights, [0]) } };
      });
      return toOnnx({ losses: collected.loss, weight: collected.weight });
    },
  };
}

interface Batch {
  readonly [name: string]: Tensor;
  readonly ids: Tensor;
  readonly positions: Tensor;
  readonly texts: Tensor;
  readonly places: Tensor;
  readonly targets: Tensor;
  readonly weights: Tensor;
}

function batch(lead: readonly string[]): Batch {
  const tokens = (name: string) => input(name, [...lead, 'batch', 'tokens'], 'i64');
  const answers = (name: string, dtype: 'i64' | 'f32') => input(name, [...lead, 'answers'], dtype);
  return {
    ids: tokens('ids'),
    positions: tokens('positions'),
    texts: tokens('texts'),
    places: answers('places', 'i64'),
    targets: answers('targets', 'i64'),
    weights: answers('weights', 'f32'),
  };
}

/** The weighted sum of −log p over the answers of one part. */
function lossOfPart(
  config: DecoderConfig,
  weights: DecoderWeights,
  { adapters, plan, part }: { adapters: Adapters; plan: LoraPlan; part: Batch },
): Tensor {
  const x = decoder(config, weights, {
    embedded: embed(part.ids, config, weights),
    parts: {
      linear: (from, layer) => {
        const base = frozenLinear(from, layer, weights, 0);
        const added = adapted(from, layer.parts, { adapters, plan });
        return added ? add(base, added) : base;
      },
      attention: wholeAttention(config, part),
      ...(plan.recompute && { layer: (compute, before) => checkpoint(compute, before) }),
    },
  });
  // The output matrix is the largest of all: only what is to be learnt goes through it.
  const answers = gather(reshape(x, ['batch*tokens', config.hidden]), part.places);
  const logits = output(answers, config, { weights, multiply: (y, matrix) => multiply(y, matrix, 0) });
  return sum(mul(softmaxCrossEntropy(logits, part.targets), part.weights), [0]);
}

/** (x Aᵀ) Bᵀ · alpha / rank for each part, zero for one without an adapter; undefined if none has one. */
function adapted(
  x: Tensor,
  parts: readonly Part[],
  { adapters, plan }: { adapters: Adapters; plan: LoraPlan },
): Tensor | undefined {
  if (!parts.some(({ name }) => adapters[name])) return undefined;
  const scale = plan.alpha / plan.rank;
  const pieces = parts.map(({ name, rows, order }) => {
    const adapter = adapters[name];
    if (!adapter) return filled(['batch', 'tokens', rows], 0);
    // The base has these rows in another order; B is small, so it is what moves.
    const b = order ? gather(adapter.b, integers(Array.from(order))) : adapter.b;
    return matmul(matmul(x, adapter.a, { transB: true }), b, { transB: true, alpha: scale });
  });
  const [only, ...others] = pieces;
  return others.length === 0 ? only : concat(pieces, 2);
}

/** Attention of all tokens of a part at once, each to those before it of its own text. */
function wholeAttention(config: DecoderConfig, part: Batch): (packed: Tensor) => Tensor {
  const { heads, keyValueHeads, headSize, window, maxTokens } = config;
  const groups = heads / keyValueHeads;
  const tables = rotaryTables(config.rotary, maxTokens);
  const rotate = (x: Tensor, count: number) =>
    rotaryEmbedding(x, { positions: part.positions, ...tables }, { heads: count });
  const [rows, columns] = [
    ['batch', 1, 'tokens', 1],
    ['batch', 1, 1, 'tokens'],
  ].map(shape => ({ texts: reshape(part.texts, shape), positions: reshape(part.positions, shape) }));
  if (!rows || !columns) throw new Error('scores have rows and columns');
  const back = sub(rows.positions, columns.positions);
  const other = cast(equal(rows.texts, columns.texts), 'f32');
  const later = cast(greater(scalar(0, 'i64'), back), 'f32');
  const far = window === null ? [] : [cast(greater(back, scalar(window - 1, 'i64')), 'f32')];
  const hidden = [later, ...far].reduce((a, b) => max(a, b), sub(1, other));
  const attentionBias = mul(hidden, HIDDEN);
  const whole = ['batch', 'tokens'];
  // Each head of keys once for each group, as the queries lie.
  const everyGroup = (x: Tensor) =>
    reshape(expand(reshape(x, [...whole, 1, keyValueHeads * headSize]), [...whole, groups, keyValueHeads * headSize]), [
      ...whole,
      heads * headSize,
    ]);
  return packed => {
    const [queries, keys] = [heads * headSize, keyValueHeads * headSize];
    const query = rotate(slice(packed, 2, { start: 0, length: queries }), heads);
    const key = rotate(slice(packed, 2, { start: queries, length: keys }), keyValueHeads);
    const value = slice(packed, 2, { start: queries + keys, length: keys });
    const context = multiHeadAttention(
      { query, key: everyGroup(key), value: everyGroup(value), attentionBias },
      { heads, scale: scoreScale(config) },
    );
    const byGroup = reshape(context, [...whole, groups, keyValueHeads, headSize]);
    return reshape(transpose(byGroup, [0, 1, 3, 2, 4]), [...whole, queries]);
  };
}

const HIDDEN = -1e9;

function adapterShapes(
  { layers, hidden, heads, keyValueHeads, headSize, intermediate }: DecoderConfig,
  plan: LoraPlan,
): { name: string; inner: number; outer: number }[] {
  const keys = keyValueHeads * headSize;
  const shapes: Readonly<Record<Adaptable, readonly [of: string, inner: number, outer: number]>> = {
    q_proj: ['self_attn', hidden, heads * headSize],
    k_proj: ['self_attn', hidden, keys],
    v_proj: ['self_attn', hidden, keys],
    o_proj: ['self_attn', heads * headSize, hidden],
    gate_proj: ['mlp', hidden, intermediate],
    up_proj: ['mlp', hidden, intermediate],
    down_proj: ['mlp', intermediate, hidden],
  };
  return Array.from({ length: layers }, (_, layer) =>
    plan.layers.map(name => {
      const [of, inner, outer] = shapes[name];
      return { name: `layers.${layer}.${of}.${name}`, inner, outer };
    }),
  ).flat();
}

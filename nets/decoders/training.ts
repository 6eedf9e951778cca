// The graphs that train a decoder, a layer at a time: one forward and one backward graph serve all layers, whose weights go in
// with every run. What a step holds is then the input of each layer and the inner values of one, and a graph of some hundred
// nodes is ready at once, where one of all layers takes ONNX Runtime most of a minute. The backward graph computes the inner
// values again, or but those that are cheap where the products of all layers are kept.
//
// Either adapters of low rank are trained beside frozen matrices (Hu et al. 2021, LoRA), or all weights.
import {
  adamW,
  add,
  cast,
  clipByNorm,
  clipScale,
  concat,
  type Dimension,
  div,
  equal,
  filled,
  gather,
  gradients,
  greater,
  input,
  matmul,
  max,
  mul,
  named,
  recalled,
  reshape,
  rotaryEmbedding,
  scalar,
  slice,
  softmax,
  softmaxCrossEntropy,
  stopGradient,
  sub,
  sum,
  type Tensor,
  toOnnx,
  transpose,
} from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { frozenLinear, multiply } from './linear.ts';
import { decoder, embed, headOf } from './llama.ts';
import { rotaryTables, scoreScale } from './rotary.ts';
import { vocabularyLoss } from './vocabulary-loss.ts';
import { type Frozen, FrozenInputs, relative, TrainedInputs } from './training-inputs.ts';
import type { DecoderWeights, Part, Weights } from './weights.ts';

export const ADAPTABLE = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type Adaptable = (typeof ADAPTABLE)[number];

/** Adapters: what one adds is multiplied by alpha / rank. */
export interface Lora {
  rank: number;
  alpha: number;
  layers: readonly Adaptable[];
}

export interface TrainingSettings {
  weightDecay: number;
  /** The longest that the gradient of all parameters together may be. */
  clip: number;
  /** Tokens of the longest text. */
  longest: number;
  /** Whether a layer's products wait for its way back, instead of being computed again. */
  keep: boolean;
}

/** A trained tensor: 'layers.0.self_attn.q_proj.a' [rank, inner] and '.b' [outer, rank] of adapters, else as Hugging Face
 *  names the weight. Names of one layer are without 'layers.0.' within graphs. */
export interface Trained {
  name: string;
  shape: readonly number[];
}

/**
 * A part is [batch, tokens], each row one text or several one behind the other. They don't see each other: `positions` start
 * at 0 with each text, and `texts` numbers them. What is to be learnt are `answers` places of a part, counted through it row by
 * row, each with the token that comes next and a weight: 1, or 0 to fill up.
 *
 * Frozen weights are inputs `frozen.NAME`, trained ones `trained.NAME`, their gradients outputs `gradient.NAME`.
 */
export interface TrainingGraphs {
  /** `texts`, `positions` i64 [batch, tokens] → `bias` f32 [batch, 1, tokens, tokens]. */
  mask: Uint8Array;
  /** `ids` i64 [batch, tokens] → `x` [batch, tokens, hidden]. */
  embed: Uint8Array;
  /** `ids`, `g` → gradients; null where the table is frozen. */
  embedBack: Uint8Array | null;
  /** `x`, `positions`, `bias` → `y`, all of them of any layer, and `kept.NAME`. */
  layer: Uint8Array;
  /** `x`, `positions`, `bias`, `g`, `kept.NAME` → `dx`, gradients. */
  layerBack: Uint8Array;
  /** By NAME how many numbers of a token a layer keeps. */
  kept: Record<string, number>;
  /** `x`, `places`, `targets` i64 [answers], `weights` f32 [answers] → `loss`, the weighted sum of −log p. */
  head: Uint8Array;
  /** The same → `loss`, `dx`, gradients. */
  headBack: Uint8Array;
  /** `x`, `places` → `logits` [answers, vocabulary]. */
  logits: Uint8Array;
  /** All `gradients` (sums) f32 [parameters], `total` (what sums are divided by) → `norm`, before they are clipped. */
  norm: Uint8Array;
  /** `values`, `gradients`, `sum`, `squares` of any of the parameters, `step`, `rate`, `total`, `norm` → `next.values`,
   *  `next.sum`, `next.squares`. */
  update: Uint8Array;
  /** By the names of inputs. */
  frozen: { embed: Record<string, Frozen>; head: Record<string, Frozen>; layers: Record<string, Frozen>[] };
  /** In the order in which they lie in the flat `values`. */
  trained: Trained[];
}

type Named = Record<string, Tensor>;

/** `base` with adapters, or null and all weights of `config` are trained. */
export function trainingGraphs(
  config: DecoderConfig,
  { base, lora }: { base: DecoderWeights; lora: Lora } | { base: null; lora: null },
  settings: TrainingSettings,
): TrainingGraphs {
  const one = { ...config, layers: 1 };
  const shapes = lora ? adapterShapes(config, lora) : weightShapes(config);
  const [ofLayer, ofEmbed, ofHead] = [inputsOf(shapes.layer), inputsOf(shapes.embed), inputsOf(shapes.head)];
  const weightsOf = (layer: number, trained: Named) =>
    base ? new FrozenInputs(base, layer) : new TrainedInputs(trained);

  const tokens = ['batch', 'tokens'];
  const [ids, positions, texts] = [
    input('ids', tokens, 'i64'),
    input('positions', tokens, 'i64'),
    input('texts', tokens, 'i64'),
  ];
  const hidden = [...tokens, config.hidden];
  const [x, g] = [input('x', hidden), input('g', hidden)];
  const bias = input('bias', ['batch', 1, 'tokens', 'tokens']);
  const layerOf = (weights: Weights, product: (computed: Tensor, name: string) => Tensor): Tensor =>
    decoder(one, weights, {
      embedded: x,
      parts: {
        linear: (from, layer) => {
          const plain = frozenLinear(from, layer, weights, 0);
          const added = lora && adapted(from, layer.parts, { adapters: ofLayer, lora });
          return product(added ? add(plain, added) : plain, relative(layer.parts[0]?.name ?? ''));
        },
        attention: wholeAttention(config, { positions, bias, longest: settings.longest }),
      },
    });
  const layerWeights = weightsOf(0, ofLayer);
  const kept: Named = {};
  const y = layerOf(layerWeights, (computed, name) => {
    // Nothing of a layer is computed from its last product.
    if (settings.keep && name !== 'mlp.down_proj') kept[name] = computed;
    return computed;
  });
  const again = layerOf(layerWeights, (computed, name) =>
    name in kept ? recalled(computed, input(`kept.${name}`, computed.shape)) : computed,
  );
  const back = gradients(sumOf(mul(again, g)), { x, ...ofLayer });
  const { x: dx, ...layerGradients } = back;

  const embedWeights = weightsOf(0, ofEmbed);
  const embedded = embed(ids, config, embedWeights);

  const headWeights = weightsOf(0, ofHead);
  const places = input('places', ['answers'], 'i64');
  const { h, matrix } = headOf(gather(reshape(x, ['batch*tokens', config.hidden]), places), config, headWeights);
  const logits = multiply(h, matrix, 0);
  const [targets, weights] = [input('targets', ['answers'], 'i64'), input('weights', ['answers'])];
  const { loss: losses, dh } = base
    ? vocabularyLoss(h, matrix, targets)
    : { loss: softmaxCrossEntropy(logits, targets), dh: null };
  const loss = sum(mul(losses, weights), [0]);
  // What has the gradient that h has.
  const like = dh ? sumOf(mul(h, stopGradient(mul(dh, reshape(weights, ['answers', 1]))))) : loss;
  const { x: dHead, ...headGradients } = gradients(like, { x, ...ofHead });

  return {
    mask: toOnnx({ bias: maskOf(config, { texts, positions }) }),
    embed: toOnnx({ x: embedded }),
    embedBack: base ? null : toOnnx(named('gradient', gradients(sumOf(mul(embedded, g)), ofEmbed))),
    layer: toOnnx({ y, ...named('kept', kept) }),
    layerBack: toOnnx({ dx: known(dx), ...named('gradient', layerGradients) }),
    kept: Object.fromEntries(Object.entries(kept).map(([name, { shape }]) => [name, Number(shape.at(-1))])),
    head: toOnnx({ loss }),
    headBack: toOnnx({ loss, dx: known(dHead), ...named('gradient', headGradients) }),
    logits: toOnnx({ logits }),
    norm: normGraph(),
    update: updateGraph(settings),
    frozen: {
      embed: frozenOf(embedWeights),
      head: frozenOf(headWeights),
      layers: Array.from({ length: config.layers }, (_, layer) => {
        const asked = weightsOf(layer, ofLayer);
        layerOf(asked, computed => computed);
        return frozenOf(asked);
      }),
    },
    trained: [
      ...Array.from({ length: config.layers }, (_, layer) =>
        shapes.layer.map(({ name, shape }) => ({ name: `layers.${layer}.${name}`, shape })),
      ).flat(),
      ...new Map([...shapes.embed, ...shapes.head].map(trained => [trained.name, trained])).values(),
    ],
  };
}

const inputsOf = (all: readonly Trained[]): Named =>
  Object.fromEntries(all.map(({ name, shape }) => [name, input(`trained.${name}`, shape)]));

const frozenOf = (weights: FrozenInputs | TrainedInputs) => (weights instanceof FrozenInputs ? weights.asked : {});

const flat = (name: string) => input(name, ['parameters']);

const sumOf = (tensor: Tensor): Tensor =>
  sum(
    tensor,
    tensor.shape.map((_, axis) => axis),
  );

function known(tensor: Tensor | undefined): Tensor {
  if (!tensor) throw new Error('a layer has a gradient');
  return tensor;
}

/** The length of all gradients together, which are sums still: that of the mean once it is divided by `total`. */
function normGraph(): Uint8Array {
  const { norm } = clipByNorm({ all: flat('gradients') }, 1);
  return toOnnx({ norm: div(norm, input('total', [])) });
}

function updateGraph({ weightDecay, clip }: TrainingSettings): Uint8Array {
  const [step, rate, total, norm] = [input('step', []), input('rate', []), input('total', []), input('norm', [])];
  const next = adamW(
    {
      parameters: { all: flat('values') },
      gradients: { all: flat('gradients') },
      state: { step, sum: { all: flat('sum') }, squares: { all: flat('squares') } },
    },
    { rate, scale: div(clipScale(norm, clip), total), weightDecay },
  );
  return toOnnx({
    'next.values': next.parameters.all,
    'next.sum': next.state.sum.all,
    'next.squares': next.state.squares.all,
  });
}

/** (x Aᵀ) Bᵀ · alpha / rank for each part, zero for one without an adapter; undefined if none has one. */
function adapted(
  x: Tensor,
  parts: readonly Part[],
  { adapters, lora }: { adapters: Named; lora: Lora },
): Tensor | undefined {
  const scale = lora.alpha / lora.rank;
  if (!parts.some(({ name }) => adapters[`${relative(name)}.a`])) return undefined;
  // What all parts read goes through their matrices A at once.
  const downs = parts.flatMap(({ name }) => adapters[`${relative(name)}.a`] ?? []);
  const inner = matmul(x, downs.length === 1 && downs[0] ? downs[0] : concat(downs, 0), { transB: true });
  let start = 0;
  const pieces = parts.map(({ name, rows }) => {
    const up = adapters[`${relative(name)}.b`];
    if (!up) return filled(['batch', 'tokens', rows], 0);
    const own = downs.length === 1 ? inner : slice(inner, 2, { start, length: lora.rank });
    start += lora.rank;
    return matmul(own, up, { transB: true, alpha: scale });
  });
  const [only, ...others] = pieces;
  return others.length === 0 ? only : concat(pieces, 2);
}

/** Large and negative where a token must not look: at other texts, at what comes later, and beyond the window. */
function maskOf({ window }: DecoderConfig, { texts, positions }: { texts: Tensor; positions: Tensor }): Tensor {
  const [rows, columns] = [
    ['batch', 1, 'tokens', 1],
    ['batch', 1, 1, 'tokens'],
  ].map(shape => ({ texts: reshape(texts, shape), positions: reshape(positions, shape) }));
  if (!rows || !columns) throw new Error('scores have rows and columns');
  const back = sub(rows.positions, columns.positions);
  const other = cast(equal(rows.texts, columns.texts), 'f32');
  const later = cast(greater(scalar(0, 'i64'), back), 'f32');
  const far = window === null ? [] : [cast(greater(back, scalar(window - 1, 'i64')), 'f32')];
  const hidden = [later, ...far].reduce((a, b) => max(a, b), sub(1, other));
  return mul(hidden, HIDDEN);
}

/** Attention of all tokens of a part at once, each to those before it of its own text. */
function wholeAttention(
  config: DecoderConfig,
  { positions, bias, longest }: { positions: Tensor; bias: Tensor; longest: number },
): (packed: Tensor) => Tensor {
  const { heads, keyValueHeads, headSize } = config;
  const groups = heads / keyValueHeads;
  const tables = rotaryTables(config.rotary, { positions: longest });
  const rotate = (x: Tensor, count: number) => rotaryEmbedding(x, { positions, ...tables }, { heads: count });
  const whole = ['batch', 'tokens'];
  // [batch, tokens, …] as [batch, head of keys, group, tokens, size]: queries of a head of keys lie together.
  const byHead = (x: Tensor, of: number) =>
    transpose(reshape(x, [...whole, keyValueHeads, of, headSize]), [0, 2, 3, 1, 4]);
  const rows = (x: Tensor, of: number, size: Dimension) =>
    reshape(x, ['batch', keyValueHeads, of === 1 ? 'tokens' : `${of}*tokens`, size]);
  return packed => {
    const [queries, keys] = [heads * headSize, keyValueHeads * headSize];
    const query = rotate(slice(packed, 2, { start: 0, length: queries }), heads);
    const key = rotate(slice(packed, 2, { start: queries, length: keys }), keyValueHeads);
    const value = slice(packed, 2, { start: queries + keys, length: keys });
    const [q, k, v] = [
      rows(byHead(query, groups), groups, headSize),
      rows(byHead(key, 1), 1, headSize),
      rows(byHead(value, 1), 1, headSize),
    ];
    // In plain operators, whose inner values the backward pass uses too.
    const scores = reshape(matmul(q, k, { transB: true, alpha: scoreScale(config) }), [
      'batch',
      keyValueHeads,
      groups,
      'tokens',
      'tokens',
    ]);
    const shares = softmax(add(scores, reshape(bias, ['batch', 1, 1, 'tokens', 'tokens'])));
    const context = matmul(rows(shares, groups, 'tokens'), v);
    const separate = reshape(context, ['batch', keyValueHeads, groups, 'tokens', headSize]);
    return reshape(transpose(separate, [0, 3, 1, 2, 4]), [...whole, queries]);
  };
}

const HIDDEN = -1e9;

interface Shapes {
  layer: Trained[];
  embed: Trained[];
  head: Trained[];
}

function adapterShapes(config: DecoderConfig, { rank, layers }: Lora): Shapes {
  const all = matrixShapes(config);
  const layer = layers.flatMap(name => {
    const [of, inner, outer] = all[name];
    return [
      { name: `${of}.${name}.a`, shape: [rank, inner] },
      { name: `${of}.${name}.b`, shape: [outer, rank] },
    ];
  });
  return { layer, embed: [], head: [] };
}

/** Without biases, and the table of embeddings is the output matrix too. */
function weightShapes(config: DecoderConfig): Shapes {
  const all = matrixShapes(config);
  const vector = (name: string) => ({ name: `${name}.weight`, shape: [config.hidden] });
  const table = { name: 'embed_tokens.weight', shape: [config.vocabulary, config.hidden] };
  const matrices = ADAPTABLE.map(name => {
    const [of, inner, outer] = all[name];
    return { name: `${of}.${name}.weight`, shape: [outer, inner] };
  });
  return {
    layer: [vector('input_layernorm'), ...matrices, vector('post_attention_layernorm')],
    embed: [table],
    head: [vector('norm'), table],
  };
}

function matrixShapes({
  hidden,
  heads,
  keyValueHeads,
  headSize,
  intermediate,
}: DecoderConfig): Readonly<Record<Adaptable, readonly [of: string, inner: number, outer: number]>> {
  const keys = keyValueHeads * headSize;
  return {
    q_proj: ['self_attn', hidden, heads * headSize],
    k_proj: ['self_attn', hidden, keys],
    v_proj: ['self_attn', hidden, keys],
    o_proj: ['self_attn', heads * headSize, hidden],
    gate_proj: ['mlp', hidden, intermediate],
    up_proj: ['mlp', hidden, intermediate],
    down_proj: ['mlp', intermediate, hidden],
  };
}

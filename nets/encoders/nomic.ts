// The Nomic encoder: rotary positions, packed projections, and in some layers a mixture of experts.
import {
  add,
  addAll,
  cast,
  equal,
  expand,
  gather,
  integers,
  matmul,
  mul,
  nonZero,
  reshape,
  scatterAdd,
  softmax,
  sum,
  type Tensor,
  topK,
} from '@vectorium/tensor';
import type { Parameters } from '../weights/parameters.ts';
import { maskedAttention } from './attention.ts';
import { type Config, positionsOf } from './config.ts';
import {
  activate,
  type EncoderInputs,
  feedForward,
  linear,
  linearRows,
  lookup,
  norm,
  project,
  residualNorm,
  type Sizes,
  typeEmbedding,
} from './layers.ts';
import { frequencies, rotation } from './rotary.ts';

/** NomicBertModel of nomic-ai/nomic-bert-2048. Nussbaum et al. 2024 and 2025 (mixture of experts). */
export function nomic(config: Config, weights: Parameters, { ids, mask }: EncoderInputs): Tensor {
  for (const off of ['prenorm', 'causal', 'rotary_emb_interleaved', 'use_rms_norm', 'moe_normalize_expert_weights'])
    config.expect(off, false);
  config.expect('rotary_emb_fraction', 1);
  config.expect('num_shared_experts', 0);
  const sizes = nomicSizes(config);
  const { hidden, heads, epsilon } = sizes;
  const rotate = rotation(frequencies(hidden / heads, config.number('rotary_emb_base', 10_000)), {
    positions: positionsOf(config).count,
    heads,
  });
  const attention = maskedAttention(mask, { heads, size: hidden / heads });

  const multiple = config.number('pad_vocab_size_multiple', 1);
  const vocabulary = Math.ceil(config.integer('vocab_size') / multiple) * multiple;
  const word = lookup(ids, weights, { name: 'embeddings.word_embeddings', shape: [vocabulary, hidden] });
  const embedded = addAll(word, ...typeEmbedding(config, weights, hidden));
  let x = norm(embedded, weights, { name: 'emb_ln', size: hidden, epsilon });
  const everyN = config.number('moe_every_n_layers', 0);
  for (let layer = 0; layer < sizes.layers; layer++) {
    const name = `encoder.layers.${layer}`;
    const packed = { name: `${name}.attn.Wqkv`, inner: hidden, outer: 3 * hidden };
    const part = (index: number): Tensor => linearRows(x, weights, packed, { start: index * hidden, count: hidden });
    x = residualNorm(x, weights, {
      from: attention(rotate(part(0)), rotate(part(1)), part(2)),
      linear: { name: `${name}.attn.out_proj`, inner: hidden, outer: hidden },
      norm: { name: `${name}.norm1`, size: hidden, epsilon },
    });
    const last = { name: `${name}.norm2`, size: hidden, epsilon };
    const names = { up: `${name}.mlp.fc1`, down: `${name}.mlp.fc2`, norm: last.name };
    if (everyN > 0 && layer % everyN === 1)
      x = norm(add(x, experts(x, mask, { config, weights, sizes, name: `${name}.mlp` })), weights, last);
    else if (sizes.activation === 'swiglu') x = gated(x, { weights, sizes, name: `${name}.mlp`, norm: last.name });
    else x = feedForward(x, { weights, sizes, ...names });
  }
  return x;
}

interface MoeOptions {
  config: Config;
  weights: Parameters;
  sizes: Sizes;
  name: string;
}

/** Σ over the chosen experts of weight · W2ᵀ activation(W1 x), plus one bias. Each expert gets only the rows that chose it;
 *  padding chooses none. (ONNX Runtime's own MoE approximates GELU by tanh on a CPU and wants W2 the other way round.)
 *  The weights are the softmax over all experts and are not scaled up to 1 again. */
function experts(x: Tensor, mask: Tensor, { config, weights, sizes, name }: MoeOptions): Tensor {
  const { hidden, intermediate, activation } = sizes;
  const count = config.integer('num_experts');
  const tokens = reshape(x, ['batch*tokens', hidden]);
  const routed = softmax(project(tokens, weights, { name: `${name}.router.layer`, inner: hidden, outer: count }));
  const { values, indices } = topK(routed, config.integer('moe_top_k'));
  const real = reshape(cast(mask, 'f32'), ['batch*tokens', 1]);
  const shares = mul(values, real);
  let total = expand(weights.tensor(`${name}.experts.bias`, [hidden]), ['batch*tokens', hidden]);
  for (let expert = 0; expert < count; expert++) {
    const share = sum(mul(shares, cast(equal(indices, integers([expert])), 'f32')), [1]);
    const found = `${name}.expert${expert}`;
    const rows = reshape(nonZero(share, found), [found]);
    const slice = { start: expert * intermediate, count: intermediate };
    const up = weights.rows(`${name}.experts.mlp.w1`, [count * intermediate, hidden], slice);
    const down = weights.rows(`${name}.experts.mlp.w2`, [count * intermediate, hidden], slice);
    const inside = activate(matmul(gather(tokens, rows), up, { transB: true }), activation);
    const out = mul(matmul(inside, down), reshape(gather(share, rows), [found, 1]));
    total = scatterAdd(total, rows, out, { distinct: true });
  }
  return reshape(total, x.shape);
}

/** norm(x + fc2(fc11(x) · silu(fc12(x)))). */
function gated(
  x: Tensor,
  { weights, sizes, name, norm: after }: { weights: Parameters; sizes: Sizes; name: string; norm: string },
): Tensor {
  const { hidden, epsilon } = sizes;
  // The published code rounds the inner size up to a multiple of 256.
  const inner = Math.ceil(sizes.intermediate / 256) * 256;
  const part = (of: string): Tensor => linear(x, weights, { name: `${name}.${of}`, inner: hidden, outer: inner });
  return residualNorm(x, weights, {
    from: mul(part('fc11'), activate(part('fc12'), 'silu')),
    linear: { name: `${name}.fc2`, inner, outer: hidden },
    norm: { name: after, size: hidden, epsilon },
  });
}

const nomicSizes = (config: Config): Sizes => ({
  hidden: config.integer('n_embd'),
  heads: config.integer('n_head'),
  layers: config.integer('n_layer'),
  intermediate: config.integer('n_inner'),
  epsilon: config.number('layer_norm_epsilon', 1e-5),
  activation: config.text('activation_function', 'gelu'),
});

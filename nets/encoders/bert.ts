// BERT and XLM-RoBERTa: absolute positions, attention and feed-forward blocks, each followed by a norm.
import { addAll, type Tensor } from '@vectorium/tensor';
import type { Parameters } from '../weights/parameters.ts';
import { maskedAttention } from './attention.ts';
import type { Config } from './config.ts';
import {
  type EncoderInputs,
  feedForward,
  linear,
  lookup,
  norm,
  positionRows,
  residualNorm,
  sizesOf,
  typeEmbedding,
} from './layers.ts';

/** BertModel, and XLMRobertaModel, which differs only in where its positions begin: after the padding id.
 *  Devlin et al. 2018; Conneau et al. 2019. */
export function bert(config: Config, weights: Parameters, { ids, mask }: EncoderInputs): Tensor {
  config.expect('position_embedding_type', 'absolute');
  const sizes = sizesOf(config);
  const { hidden, heads, epsilon } = sizes;

  const word = lookup(ids, weights, {
    name: 'embeddings.word_embeddings',
    shape: [config.integer('vocab_size'), hidden],
  });
  const embedded = addAll(word, positionRows(config, weights, hidden), ...typeEmbedding(config, weights, hidden));
  const attention = maskedAttention(mask, { heads, size: hidden / heads });

  let x = norm(embedded, weights, { name: 'embeddings.LayerNorm', size: hidden, epsilon });
  for (let layer = 0; layer < sizes.layers; layer++) {
    const name = `encoder.layer.${layer}`;
    const part = (of: string): Tensor =>
      linear(x, weights, { name: `${name}.attention.self.${of}`, inner: hidden, outer: hidden });
    x = residualNorm(x, weights, {
      from: attention(part('query'), part('key'), part('value')),
      linear: { name: `${name}.attention.output.dense`, inner: hidden, outer: hidden },
      norm: { name: `${name}.attention.output.LayerNorm`, size: hidden, epsilon },
    });
    const [up, down, after] = [`${name}.intermediate.dense`, `${name}.output.dense`, `${name}.output.LayerNorm`];
    x = feedForward(x, { weights, sizes, up, down, norm: after });
  }
  return x;
}

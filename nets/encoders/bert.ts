// BERT and XLM-RoBERTa: absolute positions, attention and feed-forward blocks, each followed by a norm.
import { concat, multiHeadAttention, type Tensor } from '@vectorium/tensor';
import type { Parameters } from '../weights/parameters.ts';
import type { Config } from './config.ts';
import {
  biasOf,
  type EncoderInputs,
  feedForward,
  lookup,
  positionRows,
  project,
  type Sizes,
  sizesOf,
  skipNorm,
  type Traced,
} from './layers.ts';

/** BertModel, and XLMRobertaModel, which differs only in where its positions begin: after the padding id.
 *  Devlin et al. 2018; Conneau et al. 2019. */
export function bert(config: Config, weights: Parameters, { ids, mask }: EncoderInputs): Traced {
  config.expect('position_embedding_type', 'absolute');
  const sizes = sizesOf(config);
  const { hidden, epsilon } = sizes;
  const positions = config.integer('max_position_embeddings');
  const firstPosition = config.text('model_type', 'bert') === 'bert' ? 0 : config.integer('pad_token_id') + 1;
  const maxTokens = positions - firstPosition;

  const word = lookup(ids, weights, {
    name: 'embeddings.word_embeddings',
    shape: [config.integer('vocab_size'), hidden],
  });
  const position = positionRows(weights, ids, { positions, hidden, firstPosition });
  // Every token is of type 0, so that row is a bias.
  const bias = weights.row('embeddings.token_type_embeddings.weight', [config.integer('type_vocab_size'), hidden], 0);
  let x = skipNorm({ x: word, skip: position, bias }, weights, { name: 'embeddings.LayerNorm', size: hidden, epsilon });
  for (let layer = 0; layer < sizes.layers; layer++)
    x = bertLayer(x, mask, { weights, sizes, name: `encoder.layer.${layer}` });
  return { hidden: x, maxTokens };
}

function bertLayer(
  x: Tensor,
  mask: Tensor,
  { weights, sizes, name }: { weights: Parameters; sizes: Sizes; name: string },
): Tensor {
  const { hidden, heads, epsilon } = sizes;
  const linear = (part: string, inner = hidden, outer = hidden) => ({ name: `${name}.${part}`, inner, outer });
  const [q, k, v] = [linear('attention.self.query'), linear('attention.self.key'), linear('attention.self.value')];
  const biases = [q, k, v].map(part => weights.tensor(`${part.name}.bias`, [hidden]));
  const attended = multiHeadAttention(
    {
      query: project(x, weights, q),
      key: project(x, weights, k),
      value: project(x, weights, v),
      bias: concat(biases, 0),
      mask,
    },
    { heads },
  );
  const out = linear('attention.output.dense');
  const y = skipNorm({ x, skip: project(attended, weights, out), bias: biasOf(weights, out) }, weights, {
    name: `${name}.attention.output.LayerNorm`,
    size: hidden,
    epsilon,
  });
  return feedForward(y, {
    weights,
    sizes,
    up: `${name}.intermediate.dense`,
    down: `${name}.output.dense`,
    norm: `${name}.output.LayerNorm`,
  });
}

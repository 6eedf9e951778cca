// Text columns of models: which encoder makes vectors of them, and how. Training and predicting must do the same.
import { defaultChunkOverlap } from '@vectorium/contract';
import type { Card, Encoder } from '@vectorium/training';
import { ApiError } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import type { VectorOptions } from '../vectors/index.ts';

/** As `embed_text` does when nothing is said. */
export function textOptions(alias: string): VectorOptions {
  return {
    model: alias,
    normalize: true,
    chunkOverlap: defaultChunkOverlap,
    chunkingMethod: 'sentence_aware',
    each: 'text',
  };
}

/** The model as it is here; as the catalog has it, while it isn't. Null for one that makes no vectors. */
export function encoderOf(models: Pick<Models, 'get' | 'folder' | 'modelHandle'>, alias: string): Encoder | null {
  const entry = models.get(alias);
  if (entry?.kind !== 'encoder') return null;
  const { dimension } = entry;
  if (models.folder(alias) === null) return { name: alias, revision: entry.revision, dimension };
  return { name: alias, revision: models.modelHandle(alias).id.slice(alias.length + 1), dimension };
}

/** Throws MODEL_UNAVAILABLE when vectors made now are not those that the model was trained on. */
export function checkEncoder(models: Pick<Models, 'get' | 'folder' | 'modelHandle'>, { encoder }: Card): void {
  if (!encoder) return;
  const now = encoderOf(models, encoder.name);
  if (now?.revision === encoder.revision && now.dimension === encoder.dimension) return;
  const found = now ? `this server has ${now.name}@${now.revision}` : 'this server does not have it any more';
  const message = `The model was trained on vectors of ${encoder.name}@${encoder.revision}, and ${found}: train it again`;
  throw new ApiError('MODEL_UNAVAILABLE', { message });
}

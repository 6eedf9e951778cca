// Language models by the names that callers have for them: base models of the catalog, and models of the account over them.
import type { AdapterHandle, DecoderHandle } from '@vectorium/engine';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { DecoderEntry, Models } from '../models/index.ts';
import { checkAllowed, fetchModel } from '../vectors/index.ts';

export interface LanguageModel {
  /** As usage and answers name it. */
  name: string;
  handle: DecoderHandle;
  adapter: AdapterHandle | null;
  promptPicodollars: bigint;
}

export interface LanguageModels {
  /** A base model, or a trained one of the caller's account. Throws ApiError for what there is not, or not for this caller. */
  find(name: string, caller: Caller): Promise<LanguageModel>;
}

type Catalog = Pick<Models, 'get' | 'list' | 'folder' | 'state' | 'obtainable' | 'ensure' | 'decoderHandle'>;

/** `trained` finds a model of an account that is a language model, and knows how it is opened. */
export function createLanguageModels(
  models: Catalog,
  trained: (name: string, caller: Caller) => Promise<LanguageModel | null> = async () => null,
): LanguageModels {
  return {
    async find(name, caller) {
      const entry = models.get(name);
      if (entry?.kind === 'decoder') return openBase(models, entry, caller);
      const found = await trained(name, caller);
      if (found) return found;
      const known = models.list().flatMap(each => (each.kind === 'decoder' ? [each.alias] : []));
      const message = `There is no language model ${JSON.stringify(name)}. Base models: ${known.join(', ')}`;
      throw new ApiError('MODEL_NOT_FOUND', { message, param: 'model', details: { model: name } });
    },
  };
}

/** A base model, for itself or for what goes over it; its fetching begins when it is not here. */
export async function openBase(models: Catalog, entry: DecoderEntry, caller: Caller): Promise<LanguageModel> {
  checkAllowed(caller, entry);
  if (models.folder(entry.alias) === null) await fetchModel(models, entry);
  return {
    name: entry.alias,
    handle: models.decoderHandle(entry.alias),
    adapter: null,
    promptPicodollars: entry.pricePicodollarsPerToken,
  };
}

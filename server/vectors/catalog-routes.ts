// What models there are, in HashHub's shape and in OpenAI's.
import { routes } from '@vectorium/contract';
import { ApiError, type App, Raw, mount } from '../http/index.ts';
import type { CatalogEntry, EncoderEntry, Models } from '../models/index.ts';
import { clientModel, clientOf } from './courtesies.ts';
import { mayUse, pricePerMillionTokens } from './service.ts';

/** A model of an account that callers of `/v1` may name. */
export interface OwnModel {
  id: string;
  createdAt: Date;
}

/** `own` gives the language models that an account has trained. */
export function mountCatalogRoutes(
  app: App,
  models: Models,
  own: (accountId: string) => Promise<OwnModel[]> = async () => [],
): void {
  const encoders = () => models.list().filter(entry => entry.kind === 'encoder');

  mount(app, routes.listModels, ({ caller, headers }) => {
    const default_model = caller.account.defaultModel;
    if (clientOf(headers['user-agent']) !== 'other') {
      return new Raw(JSON.stringify({ models: encoders().map(clientModel), default_model }));
    }
    const cards = encoders().map(entry => [entry.alias, { ...card(entry), allowed: mayUse(caller, entry) }] as const);
    return { models: Object.fromEntries(cards), default_model };
  });

  mount(app, routes.listOpenAIModels, async ({ caller }) => {
    const trained = (await own(caller.account.id)).map(ownModel);
    return { object: 'list' as const, data: [...models.list().map(openaiModel), ...trained] };
  });

  mount(app, routes.getOpenAIModel, async ({ caller, params }) => {
    const entry = models.get(params.id);
    if (entry) return openaiModel(entry);
    const trained = (await own(caller.account.id)).find(({ id }) => id === params.id);
    if (!trained) throw new ApiError('NOT_FOUND', { message: `There is no model ${params.id}` });
    return ownModel(trained);
  });

  /** The documented fields, then what else there is to know. */
  function card(entry: EncoderEntry) {
    const { state, precision } = models.state(entry.alias);
    return {
      name: entry.model,
      dimension: entry.dimension,
      max_tokens: entry.maxTokens,
      description: entry.description,
      tier: entry.tier,
      price_per_1M_tokens: pricePerMillionTokens(entry),
      state,
      precision: precision ?? entry.precision,
      revision: entry.revision,
      pooling: entry.pooling,
      normalized: entry.normalize,
      prefixes: entry.prefixes,
      matryoshka_dimensions: entry.matryoshka,
      languages: entry.languages,
      license: entry.license,
      card: entry.card,
    };
  }
}

function ownModel({ id, createdAt }: OwnModel) {
  const created = Math.floor(createdAt.getTime() / 1000);
  return { id, object: 'model' as const, created, owned_by: 'you', kind: 'decoder' as const };
}

function openaiModel(entry: CatalogEntry) {
  const [owner = ''] = entry.model.split('/');
  const { alias, kind, model } = entry;
  return { id: alias, object: 'model' as const, created: 0, owned_by: owner, name: model, kind };
}

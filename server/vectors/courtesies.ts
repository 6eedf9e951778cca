// What the two official HashHub clients read beyond the documents, recognised by their User-Agent. All of it, only here.
//
// Both want `/models` as a list; the JavaScript client wants names in camel case, and a shape of `/usage` of its own.
import type { CatalogEntry, EncoderEntry } from '../models/index.ts';
import { type Vectors, pricePerMillionTokens } from './service.ts';
import type { ReadableUsage } from './usage-report.ts';

export type Client = 'python' | 'javascript' | 'other';

export function clientOf(userAgent: string | undefined): Client {
  if (userAgent?.startsWith('Hashub-vector-sdk/')) return 'python';
  return userAgent?.startsWith('hashub-vector-js/') ? 'javascript' : 'other';
}

/** One model as both clients read it. */
export function clientModel(entry: EncoderEntry) {
  const price = pricePerMillionTokens(entry);
  return {
    alias: entry.alias,
    name: entry.model,
    full_name: entry.model,
    description: entry.description,
    dimension: entry.dimension,
    max_tokens: entry.maxTokens,
    maxTokens: entry.maxTokens,
    price_per_1m_tokens: price,
    pricePerMTokens: price,
    tier: entry.tier,
    languages: entry.languages,
    // Shown as stars of five. Nobody has measured it, so it only says whether the model was trained on Turkish.
    turkishSupport: entry.languages.includes('tr') ? 5 : 1,
  };
}

/** Further fields of `/vectorize`. */
export function vectorizeExtras(client: Client, { tokenCounts, chunks }: Vectors): Record<string, number> {
  return client === 'javascript' ? { tokens: sum(tokenCounts), chunkCount: chunks.flat().length } : {};
}

/** Further fields of `/vectorize/batch`. */
export function batchExtras(client: Client, { tokenCounts }: Vectors): Record<string, number> {
  return client === 'javascript' ? { totalTokens: sum(tokenCounts) } : {};
}

/** `/usage` as the Python client reads it: `models_used` counts requests, and the balance is always a number. */
export function pythonUsage({ summary, days, top_models }: ReadableUsage) {
  return {
    summary: { ...summary, current_balance: summary.current_balance ?? 0 },
    daily_breakdown: days.map(({ models, ...day }) => ({ ...day, models_used: models })),
    top_models,
  };
}

/** `/usage` as the JavaScript client reads it: `getUsage` the counts, `getDetailedUsage` the rest. */
export function javascriptUsage({ summary, days }: ReadableUsage, defaultModel: CatalogEntry | undefined) {
  const tokensUsed = summary.total_tokens;
  const tokensRemaining = tokensFor(summary.current_balance, defaultModel);
  const tokensLimit = Math.min(tokensUsed + tokensRemaining, Number.MAX_SAFE_INTEGER);
  const tokensPercentageUsed = tokensLimit === 0 ? 0 : (100 * tokensUsed) / tokensLimit;
  const counts = { tokensUsed, tokensLimit, tokensPercentageUsed, tokensRemaining };
  return {
    ...counts,
    usage: counts,
    dailyUsage: days.map(({ date, tokens, requests, models }) => ({
      date,
      tokensUsed: tokens,
      requestCount: requests,
      modelUsage: models,
    })),
    period: { from: dayOf(Date.parse(summary.period_start)), to: dayOf(Date.parse(summary.period_end) - 1) },
  };
}

/** There is no limit of tokens, only a balance: as many as it buys of the account's default model. */
function tokensFor(balanceDollars: number | null, model: CatalogEntry | undefined): number {
  if (balanceDollars === null || !model || model.pricePicodollarsPerToken === 0n) return Number.MAX_SAFE_INTEGER;
  return Math.max(0, Math.floor((balanceDollars * 1e12) / Number(model.pricePicodollarsPerToken)));
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

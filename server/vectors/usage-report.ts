// Usage as people read it: dollars instead of picodollars, times as text, shares of the whole. Pure.
import { picodollarsToUsd } from '../plans/index.ts';
import type { UsageReport, UsageSums } from '../usage/index.ts';

/** The contract's answer, but for `days`, which knows more of the models than their names. */
export interface ReadableUsage {
  summary: {
    user_id: string;
    user_email: string;
    total_requests: number;
    total_tokens: number;
    /** Dollars, as all below. */
    total_cost: number;
    /** Null on an account that is not billed. */
    current_balance: number | null;
    period_start: string;
    period_end: string;
  };
  /** `models` counts requests. */
  days: (ReadableSums & { date: string; models: Record<string, number> })[];
  /** `percentage` of the requests. */
  top_models: (ReadableSums & { model: string; percentage: number })[];
}

interface ReadableSums {
  requests: number;
  tokens: number;
  cost: number;
}

export function readableUsage(report: UsageReport): ReadableUsage {
  const { totals, balancePicodollars: balance } = report;
  return {
    summary: {
      user_id: report.accountId,
      user_email: report.email,
      total_requests: totals.requests,
      total_tokens: totals.tokens,
      total_cost: picodollarsToUsd(totals.costPicodollars),
      current_balance: balance === null ? null : picodollarsToUsd(balance),
      period_start: report.from.toISOString(),
      period_end: report.to.toISOString(),
    },
    days: report.days.map(day => ({
      date: day.date,
      ...sums(day),
      models: Object.fromEntries(day.models.map(({ model, requests }) => [model, requests])),
    })),
    top_models: report.models.map(each => ({
      model: each.model,
      ...sums(each),
      percentage: Math.round((10_000 * each.requests) / totals.requests) / 100,
    })),
  };
}

function sums({ requests, tokens, costPicodollars }: UsageSums): ReadableSums {
  return { requests, tokens, cost: picodollarsToUsd(costPicodollars) };
}

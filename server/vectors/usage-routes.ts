// What the caller's account used and paid.
import { Readable } from 'node:stream';
import { routes } from '@vectorium/contract';
import { type App, Raw, mount } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import type { Reports } from '../usage/index.ts';
import { clientOf, javascriptUsage, pythonUsage } from './courtesies.ts';
import { periodOf } from './periods.ts';
import { readableUsage } from './usage-report.ts';

export function mountUsageRoutes(app: App, ledger: Pick<Reports, 'report' | 'csv'>, models: Pick<Models, 'get'>): void {
  mount(app, routes.getUsage, async ({ caller, query, headers }) => {
    const period = periodOf(query, new Date());
    if (query.format === 'csv' || /^text\/csv\b/.test(headers.accept ?? '')) {
      return new Raw(Readable.from(ledger.csv(caller.account.id, period)), 'text/csv; charset=utf-8');
    }
    const report = await ledger.report(caller.account.id, period);
    if (!report) throw new Error('the account of a key is gone');
    const usage = readableUsage(report);
    if (!query.include_daily_breakdown) usage.days = [];
    switch (clientOf(headers['user-agent'])) {
      case 'python':
        return new Raw(JSON.stringify(pythonUsage(usage)));
      case 'javascript':
        return new Raw(JSON.stringify(javascriptUsage(usage, models.get(caller.account.defaultModel))));
      case 'other': {
        const daily_breakdown = usage.days.map(({ models: used, ...day }) => ({
          ...day,
          models_used: Object.keys(used),
        }));
        return { summary: usage.summary, daily_breakdown, top_models: usage.top_models };
      }
    }
  });
}

// /livez and /readyz: whether the process answers, and whether it can take work.
import { type AnswerOf, routes } from '@vectorium/contract';
import type { App } from './app.ts';
import { mount } from './mount.ts';

/** What /readyz shows; any status but `ready` goes out as a 503. */
export type Readiness = AnswerOf<typeof routes.readyz>;

export function mountProbes(app: App, readiness: () => Readiness | Promise<Readiness>): void {
  mount(app, routes.livez, () => ({ status: 'ok' as const }));
  mount(app, routes.readyz, async ({ reply }) => {
    const state: Readiness = app.closing ? { status: 'closing' } : await readiness();
    if (state.status !== 'ready') reply.code(503).header('retry-after', 5);
    return state;
  });
}

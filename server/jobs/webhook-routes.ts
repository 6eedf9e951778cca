// The routes about an account's webhook.
import { routes } from '@vectorium/contract';
import { ApiError, type App, mount } from '../http/index.ts';
import { WebhookRefused, type Webhooks } from './webhooks.ts';

export function mountWebhookRoutes(app: App, webhooks: Webhooks): void {
  mount(app, routes.setWebhook, async ({ caller, body }) => {
    const { url, secret, createdAt } = await webhooks.set(caller.account.id, body.url).catch(refuse);
    return { url, secret, created_at: createdAt.toISOString() };
  });

  mount(app, routes.getWebhook, async ({ caller }) => {
    const found = await webhooks.get(caller.account.id);
    if (!found) throw new ApiError('NOT_FOUND', { message: 'The account has no webhook' });
    return { url: found.url, created_at: found.createdAt.toISOString() };
  });

  mount(app, routes.deleteWebhook, async ({ caller }) => ({ deleted: await webhooks.remove(caller.account.id) }));
}

function refuse(error: unknown): never {
  if (!(error instanceof WebhookRefused)) throw error;
  throw new ApiError('INVALID_PARAMETER', { message: `url ${error.message}`, param: 'url' });
}

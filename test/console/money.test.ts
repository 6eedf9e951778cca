// What concerns money and rights in a real browser: credit is bought at a stand-in for the payment provider, keys are rotated and revoked,
// the operator moves an account to another plan, and who leaves takes all with him.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, adminKey, ask, startTestServer } from '../server.ts';
import { barriers, launch, open, password, picture, visit, visitAs, whyNot } from './browser.ts';

const webhookSecret = 'whsec_of_the_tests';

describe.skipIf(whyNot !== null)('money and rights', () => {
  let provider: Provider;
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    provider = await payingProvider(() => server.url);
    const payments = { secretKey: 'sk_test_x', webhookSecret, host: provider.host };
    server = await startTestServer({ more: { payments } });
    browser = await launch();
    ({ page, complaints } = await visitAs(browser, server.url, 'Ada Byron'));
  });
  afterAll(async () => {
    await browser?.close();
    await server?.end();
    provider?.close();
  });

  test('credit is bought at the provider, is there on the way back, and stands on the invoice', async () => {
    await open(page, '/console/usage');
    await page.getByRole('button', { name: 'Buy credit' }).click();
    await page.getByRole('dialog').getByRole('radio', { name: '$25.00' }).click();
    await picture(page, 'buy-credit');
    expect(await barriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Go to payment' }).click();
    await page.getByRole('button', { name: 'Pay 25.00' }).click();
    await page.waitForURL('**/console/usage**');
    await page.getByText('$37.00').first().waitFor();

    await page.getByRole('tab', { name: 'Billing' }).click();
    await page.getByRole('region', { name: 'Ledger' }).getByText('Payment').first().waitFor();
    await page.getByRole('region', { name: 'Invoices' }).getByRole('link').first().click();
    await page.getByRole('heading', { level: 1, name: /^Invoice/ }).waitFor();
    await page.getByText('$25.00').first().waitFor();
    await picture(page, 'invoice-paid');
    expect(await barriers(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('a rotated key ends when it was said, a new one works, and a revoked one is refused at once', async () => {
    await open(page, '/console/keys');
    await page.getByRole('button', { name: 'Make a key' }).first().click();
    await page.getByLabel('Name').fill('search service');
    await page.getByRole('button', { name: 'Make key' }).click();
    const first = await secret(page);
    expect((await usage(server, first)).status).toBe(200);

    await page.getByRole('button', { name: 'Actions for “search service”' }).click();
    await page.getByRole('menuitem', { name: 'Rotate' }).click();
    await page.getByRole('combobox', { name: 'The old key works for' }).click();
    await page.getByRole('option', { name: 'No longer' }).click();
    await page.getByRole('button', { name: 'Make the new key' }).click();
    const second = await secret(page);
    expect(second).not.toBe(first);
    expect((await usage(server, first)).status).toBe(401);
    expect((await usage(server, second)).status).toBe(200);

    await page.getByRole('button', { name: 'Actions for “search service”' }).first().click();
    await page.getByRole('menuitem', { name: 'Revoke' }).click();
    await page.getByRole('button', { name: 'Revoke key' }).click();
    await page.getByText('“search service” is revoked').waitFor();
    expect((await usage(server, second)).status).toBe(401);
    await page.getByRole('button', { name: /Show ended keys/ }).click();
    await page.getByRole('table').getByText('Revoked').first().waitFor();
  });

  test("a key's rights are changed, and count from the next request on", async () => {
    await page.getByRole('button', { name: 'Make a key' }).first().click();
    await page.getByLabel('Name').fill('reports');
    await page.getByRole('button', { name: 'Make key' }).click();
    const key = await secret(page);
    expect((await usage(server, key)).status).toBe(200);
    await page.getByRole('button', { name: 'Actions for “reports”' }).click();
    await page.getByRole('menuitem', { name: 'Change' }).click();
    const dialog = page.getByRole('dialog', { name: 'Change “reports”' });
    expect(await dialog.getByLabel('Name').inputValue()).toBe('reports');
    await dialog.getByLabel('Name').fill('vectors only');
    await dialog.getByRole('radio', { name: 'Only some' }).click();
    await picture(page, 'change-key');
    expect(await barriers(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Save changes' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page
      .getByRole('row', { name: /^vectors only/ })
      .getByText('Vectors', { exact: true })
      .waitFor();
    expect((await usage(server, key)).status).toBe(403);
  });

  test('the operator changes a plan and moves an account to it, and both count at once', async () => {
    const link = new URL(server.firstLink ?? '');
    const grace = await visit(browser, server.url);
    await grace.page.goto(link.pathname + link.hash);
    await grace.page.getByLabel('Your name').fill('Grace Hopper');
    await grace.page.getByLabel('E-mail').fill('grace@example.com');
    await grace.page.getByLabel('Password').fill(password);
    await grace.page.getByRole('button', { name: 'Make the account' }).click();
    await grace.page.getByRole('link', { name: 'Operator' }).click();
    await grace.page.getByRole('tab', { name: 'Accounts' }).click();
    await grace.page.getByRole('searchbox').fill('ada@');
    await grace.page.getByRole('button', { name: /^Ada Byron/ }).click();
    const dialog = grace.page.getByRole('dialog');
    await dialog.getByRole('combobox', { name: 'Plan' }).click();
    await grace.page.getByRole('option', { name: 'Pro' }).click();
    await grace.page.getByText('The plan is changed').waitFor();
    await grace.page.getByRole('button', { name: 'Close' }).first().click();
    await grace.page.getByRole('tab', { name: 'Plans' }).click();
    await grace.page.getByRole('button', { name: 'Change Pro' }).click();
    await grace.page.getByLabel('Active keys').fill('31');
    await picture(grace.page, 'change-plan');
    expect(await barriers(grace.page)).toEqual([]);
    await grace.page.getByRole('button', { name: 'Save changes' }).click();
    await grace.page.getByRole('dialog', { name: 'Change Pro' }).waitFor({ state: 'hidden' });
    await grace.page.getByRole('button', { name: 'Make a plan' }).click();
    await grace.page.getByLabel('Title').fill('School');
    await grace.page.getByLabel('Name for programs').fill('school');
    const form = grace.page.getByRole('dialog', { name: 'Make a plan' });
    await form.getByRole('button', { name: 'Make a plan' }).click();
    await grace.page.getByRole('heading', { name: 'School' }).waitFor();
    expect(grace.complaints).toEqual([]);
    await grace.page.context().close();

    await open(page, '/console/keys');
    await page.getByText('of 31 active keys of your plan').waitFor();
  });

  test('who leaves takes all along, and is gone', async () => {
    const { page: leaving } = await visitAs(browser, server.url, 'Lea Weg');
    await open(leaving, '/console/settings');
    await leaving.getByRole('tab', { name: 'Account' }).click();
    const [download] = await Promise.all([
      leaving.waitForEvent('download'),
      leaving.getByRole('button', { name: 'Download export' }).click(),
    ]);
    const zip = await readFile(await download.path());
    expect(download.suggestedFilename()).toMatch(/^acc_\w+\.zip$/);
    expect(zip.subarray(0, 2).toString()).toBe('PK');
    expect(zip.includes('account.json')).toBe(true);

    await leaving.getByRole('button', { name: 'Delete account' }).click();
    const dialog = leaving.getByRole('dialog');
    const id = /acc_\w+/.exec(await dialog.innerText())?.[0] ?? '';
    const confirm = dialog.getByRole('button', { name: 'Delete account' });
    await dialog.getByLabel('Account id').fill('acc_another');
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel('Account id').fill(id);
    await picture(leaving, 'delete-account');
    expect(await barriers(leaving)).toEqual([]);
    await confirm.click();
    await leaving.waitForURL('**/console/sign-in');
    await leaving.getByLabel('E-mail').fill('lea@example.com');
    await leaving.getByLabel('Password').fill(password);
    await leaving.getByRole('button', { name: 'Sign in' }).click();
    await leaving.getByRole('alert').waitFor();
    expect((await ask(`${server.url}/admin/accounts/${id}`, { key: adminKey, method: 'GET' })).status).toBe(404);
  });
});

/** The secret that is shown this once. */
async function secret(page: Page): Promise<string> {
  const dialog = page.getByRole('dialog', { name: 'Copy your key now' });
  const shown = (await dialog.locator('code').first().innerText()).trim();
  await dialog.getByRole('button', { name: 'I have copied it' }).click();
  await dialog.waitFor({ state: 'hidden' });
  return shown;
}

function usage(server: TestServer, key: string): Promise<{ status: number }> {
  return ask(`${server.url}/usage`, { key, method: 'GET' });
}

interface Provider {
  host: { host: string; port: number; protocol: 'http' };
  close(): void;
}

/** Takes checkouts as Stripe's API does, shows a page to pay on, and then tells the server, signed, before it leads back. */
async function payingProvider(serverUrl: () => string): Promise<Provider> {
  let asked = new URLSearchParams();
  const pay = async () => {
    const object = {
      id: 'cs_1',
      payment_status: 'paid',
      client_reference_id: asked.get('client_reference_id'),
      amount_total: Number(asked.get('line_items[0][price_data][unit_amount]')),
      currency: 'usd',
    };
    const payload = JSON.stringify({ id: 'evt_1', type: 'checkout.session.completed', data: { object } });
    const seconds = Math.floor(Date.now() / 1000);
    const sum = createHmac('sha256', webhookSecret).update(`${seconds}.${payload}`).digest('hex');
    const signature = `t=${seconds},v1=${sum}`;
    await fetch(`${serverUrl()}/console/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': signature },
      body: payload,
    });
  };
  const listener = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      if (request.url?.startsWith('/v1/checkout/sessions')) {
        asked = new URLSearchParams(body);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ id: 'cs_1', object: 'checkout.session', url: `${address()}/pay` }));
      } else if (request.url === '/pay') {
        const cents = Number(asked.get('line_items[0][price_data][unit_amount]'));
        response.setHeader('content-type', 'text/html');
        response.end(`<form action="/paid"><button>Pay ${(cents / 100).toFixed(2)}</button></form>`);
      } else {
        void pay().then(() => response.writeHead(303, { location: asked.get('success_url') ?? '/' }).end());
      }
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const port = (listener.address() as { port: number }).port;
  const address = () => `http://127.0.0.1:${port}`;
  return { host: { host: '127.0.0.1', port, protocol: 'http' }, close: () => void listener.close() };
}

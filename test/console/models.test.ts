// What is done with data and models in a real browser beyond the newcomer's path: an upload that broke off goes on where it was, two models
// are compared, an alias moves, a language model is talked to, and a viewer looks on. Then every page of data in Turkish, in the dark, on a
// phone.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestServer, adminKey, ask, startTestServer } from '../server.ts';
import { barriers, launch, open, password, picture, visit, visitAs, whyNot } from './browser.ts';

const penguins = fileURLToPath(import.meta.resolve('@vectorium/console/pages/datasets/samples/penguins.csv'));

describe.skipIf(whyNot !== null)('data and models', () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let small: string;
  let large: string;
  let talker: string;
  let dataset: string;
  beforeAll(async () => {
    server = await startTestServer();
    browser = await launch();
    ({ page, complaints } = await visitAs(browser, server.url, 'Ada Byron'));
    page.setDefaultTimeout(40_000);
    const { account_id: account } = (await (await page.request.get('/console/api/session')).json()) as {
      account_id: string;
    };
    await ask(`${server.url}/admin/accounts/${account}`, { key: adminKey, method: 'PATCH', body: { plan: 'pro' } });
    dataset = await upload('penguins', await readFile(penguins));
    const classifier = { dataset_id: dataset, model_type: 'classification' };
    const config = { target: 'Species', algorithm: 'linear', max_seconds: 20 };
    small = await train({ ...classifier, name: 'few epochs', config: { ...config, epochs: 2 } });
    large = await train({ ...classifier, name: 'many epochs', config: { ...config, epochs: 30 } });
    const lines = ['red', 'green', 'blue', 'black', 'white', 'pink'].map(colour => ({
      prompt: `Which colour is ${colour}?`,
      completion: `It is ${colour}.`,
    }));
    const questions = await upload('questions', Buffer.from(JSON.stringify([...lines, ...lines])), 'json');
    talker = await train({
      dataset_id: questions,
      model_type: 'llm',
      name: 'colours',
      config: { base_model: 'scratch', epochs: 2, batch_size: 4 },
    });
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await server?.end();
  });

  test('an upload that broke off goes on where it was, also after the page was loaded again', async () => {
    const row = `${'x'.repeat(990)},1234567\n`;
    // From the disk: by its time, too, a file is known again.
    const file = join(server.dataFolder, 'large.csv');
    await writeFile(file, `text,number\n${row.repeat(40_000)}`);
    await open(page, '/console/datasets');
    // The first piece gets through, and then the network is gone.
    let pieces = 0;
    await page.route('**/api/v2/data/uploads/**', route =>
      route.request().method() === 'PATCH' && ++pieces > 1 ? route.abort('connectionreset') : route.continue(),
    );
    await page.locator('input[type=file]').setInputFiles(file);
    await expect.poll(() => pieces, { timeout: 30_000 }).toBeGreaterThan(1);
    await page.unroute('**/api/v2/data/uploads/**');
    const sent: number[] = [];
    page.on('request', request => {
      const offset = request.method() === 'PATCH' ? request.headers()['upload-offset'] : undefined;
      if (offset !== undefined) sent.push(Number(offset));
    });
    await page.reload();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.locator('input[type=file]').setInputFiles(file);
    await page.waitForURL(/datasets\/ds_/);
    await page.getByText('40,000 rows').first().waitFor();
    expect(sent[0]).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });

  test('two models are compared on the rows that both held out', async () => {
    await open(page, `/console/models/compare?one=${small}&other=${large}`);
    await page.getByRole('button', { name: 'Compare' }).click();
    const table = page.getByRole('table');
    await table.getByRole('row', { name: /^Accuracy/ }).waitFor();
    await table.getByText('better').first().waitFor();
    await picture(page, 'compare');
    expect(await barriers(page)).toEqual([]);
  });

  test('an alias moves from one model to the other, and programs follow it', async () => {
    const setAlias = async (model: string) => {
      await open(page, `/console/models/${model}`);
      await page.getByRole('tab', { name: 'Use it' }).click();
      await page.getByRole('textbox', { name: 'Alias' }).fill('species@production');
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByRole('button', { name: 'Remove species@production' }).waitFor();
      const input = { data: [{ Island: 'Biscoe', 'Flipper Length (mm)': 230 }] };
      const data = { model_id: 'species@production', input };
      const answer = await page.request.post('/api/v2/models/predict', { data, headers: { origin: server.url } });
      return ((await answer.json()) as { model_id: string }).model_id;
    };
    expect(await setAlias(small)).toBe(small);
    expect(await setAlias(large)).toBe(large);
    await page.getByRole('textbox', { name: 'Alias' }).fill('no stage');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByRole('button', { name: 'Remove species@production' }).click();
    await page.getByRole('button', { name: 'Remove species@production' }).waitFor({ state: 'detached' });
  });

  test('a language model shows what it learnt, and answers in the chat', async () => {
    await open(page, `/console/models/${talker}`);
    await page.getByRole('heading', { name: 'Before and after' }).waitFor();
    expect(await page.getByRole('tab', { name: 'Predict' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Chat' }).click();
    await page.getByRole('textbox', { name: 'Message' }).fill('Which colour is red?');
    await page.keyboard.press('Enter');
    const log = page.getByRole('log');
    await log.getByText('Which colour is red?').waitFor();
    await page.getByText(/^\d+ tokens$/).waitFor();
    await picture(page, 'chat');
    expect(await barriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Begin anew' }).click();
    await page.getByText('Say something').waitFor();
    expect(complaints).toEqual([]);
  });

  test('a viewer sees data and models, is told why nothing can be pressed, and the server holds the same line', async () => {
    const invited = await page.request.post('/console/api/invitations', {
      data: { email: 'vera@example.com', role: 'viewer' },
      headers: { origin: server.url },
    });
    const link = new URL(((await invited.json()) as { link: string }).link);
    const vera = await visit(browser, server.url);
    await vera.page.goto(link.pathname + link.hash);
    await vera.page.getByLabel('Your name').fill('Vera');
    await vera.page.getByLabel('Password').fill(password);
    await vera.page.getByRole('button', { name: 'Make the account' }).click();
    await vera.page.getByRole('heading', { level: 1, name: /Vera/ }).waitFor();
    for (const [path, button] of [
      ['/console/playground', 'Turn into vectors'],
      [`/console/models/train?dataset=${dataset}`, 'Start training'],
      ['/console/models/compare', 'Compare'],
      ['/console/models/chat', 'Send'],
    ] as const) {
      await open(vera.page, path);
      await vera.page.getByText('a viewer reads everything here and changes nothing').waitFor();
      expect([path, await vera.page.getByRole('button', { name: button }).isDisabled()]).toEqual([path, true]);
    }
    await open(vera.page, `/console/datasets/${dataset}`);
    expect(await vera.page.getByRole('button', { name: 'Prepare' }).count()).toBe(0);
    await open(vera.page, `/console/models/${large}`);
    expect(await vera.page.getByRole('button', { name: 'Delete' }).count()).toBe(0);
    const refused = await vera.page.request.delete(`/api/v2/models/${large}`, { headers: { origin: server.url } });
    expect(refused.status()).toBe(403);
    expect(vera.complaints).toEqual([]);
    await vera.page.context().close();
  });

  test('every page of data is in Turkish, without a barrier in the dark, and no wider than a phone', async () => {
    const session = await page.context().storageState();
    const phone = await visit(browser, server.url, { width: 390, height: 844, theme: 'dark', locale: 'tr-TR' });
    await phone.page.context().addCookies(session.cookies);
    const paths = {
      overview: '/',
      playground: '/console/playground',
      similarity: '/console/playground?view=similarity',
      map: '/console/playground?view=map',
      datasets: '/console/datasets',
      dataset: `/console/datasets/${dataset}`,
      columns: `/console/datasets/${dataset}?tab=columns`,
      history: `/console/datasets/${dataset}?tab=history`,
      prepare: `/console/datasets/${dataset}?prepare=true`,
      models: '/console/models',
      train: `/console/models/train?dataset=${dataset}`,
      model: `/console/models/${large}`,
      language: `/console/models/${talker}`,
      compare: '/console/models/compare',
      chat: '/console/models/chat',
      nothing: '/console/nothing',
    };
    for (const [name, path] of Object.entries(paths)) {
      await open(phone.page, path);
      await picture(phone.page, `turkish-${name}`);
      expect([name, await phone.page.locator('html').getAttribute('lang')]).toEqual([name, 'tr']);
      expect([name, await barriers(phone.page)]).toEqual([name, []]);
      const { width } = await phone.page.evaluate<{ width: number }>(
        '({ width: document.documentElement.scrollWidth })',
      );
      expect([name, width]).toEqual([name, 390]);
    }
    expect(phone.complaints).toEqual([]);
    await phone.page.context().close();
  });

  async function upload(name: string, data: Buffer, format = 'csv'): Promise<string> {
    const answer = await page.request.put(`/api/v2/data/upload?format=${format}&name=${name}`, {
      data,
      headers: { origin: server.url, 'content-type': 'application/octet-stream' },
    });
    return ((await answer.json()) as { dataset_id: string }).dataset_id;
  }

  async function train(data: object): Promise<string> {
    const answer = await page.request.post('/api/v2/models/train', {
      data,
      headers: { origin: server.url, prefer: 'wait=60' },
      timeout: 90_000,
    });
    const { model_id: id, status } = (await answer.json()) as { model_id: string; status: string };
    expect(status).toBe('succeeded');
    return id;
  }
});

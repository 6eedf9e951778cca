// The newcomer's path through the data in a real browser, from a text in the playground to a prediction, with real data (Palmer
// penguins).
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, adminKey, ask, startTestServer } from '../server.ts';
import { barriers, launch, picture, visit, whyNot } from './browser.ts';

let server: TestServer;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  if (whyNot !== null) return;
  server = await startTestServer();
  browser = await launch();
  ({ page, complaints } = await visit(browser, server.url, { width: 1360 }));
  page.setDefaultTimeout(40_000);
  const signedUp = await page.request.post('/console/auth/sign-up/email', {
    headers: { origin: server.url },
    data: { name: 'Nora Newcomer', email: 'newcomer@example.com', password: 'a long enough password' },
  });
  expect(signedUp.status()).toBe(200);
});

afterAll(async () => {
  await browser?.close();
  await server?.end();
});

test.skipIf(whyNot !== null)(
  'a newcomer gets from a text to a prediction without leaving the console',
  async () => {
    await page.goto(server.url);
    await page.getByText('Get started').waitFor();
    await expectNoBarriers('overview');

    await page.getByRole('link', { name: /See a text become vectors/ }).click();
    await page.getByRole('button', { name: 'Turn into vectors' }).click();
    await page.getByRole('heading', { name: 'Text with its chunks' }).waitFor();
    // The marks together are the text, overlaps once.
    const marked = await page.locator('mark').allTextContents();
    expect(marked.join('')).toBe(await page.getByRole('textbox', { name: 'Text', exact: true }).inputValue());
    await page.getByRole('button', { name: /^Chunk 2/ }).click();
    await page.getByRole('heading', { name: 'Vector of chunk 2' }).waitFor();
    expect(await page.locator('pre').innerText()).toContain('/vectorize/chunked');
    await expectNoBarriers('playground');

    await page.getByRole('link', { name: 'Datasets', exact: true }).click();
    await page.getByRole('button', { name: /Use a sample/ }).click();
    await page.waitForURL(/datasets\/ds_/);
    const table = page.getByRole('table', { name: 'Rows of penguins' });
    await table.getByRole('cell', { name: 'Torgersen' }).first().waitFor();
    expect(await table.getAttribute('aria-rowcount')).toBe('345');
    await expectNoBarriers('dataset');

    await page.getByRole('button', { name: 'Prepare', exact: true }).click();
    await page.getByRole('button', { name: 'Clean automatically' }).click();
    await page.getByRole('button', { name: 'Add a step' }).click();
    await page.getByRole('searchbox').fill('filter rows');
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Only where' }).fill('"Body Mass (g)" IS NOT NUL');
    await page.getByRole('alert').waitFor();
    await page.getByRole('textbox', { name: 'Only where' }).fill('"Body Mass (g)" IS NOT NULL');
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.getByText('Preview after 2 steps').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    expect(await page.getByRole('textbox', { name: 'Only where' }).inputValue()).toBe('');
    await page.getByRole('button', { name: 'Redo' }).click();
    await expectNoBarriers('prepare');
    await page.getByRole('button', { name: 'Apply 2 steps' }).click();
    await page.getByText('342 rows · 7 columns · Version 2').waitFor();

    await page.getByRole('link', { name: 'Train a model' }).click();
    await page.getByLabel('Column to predict').click();
    await page.getByRole('option', { name: /^Species/ }).click();
    await expectNoBarriers('train');
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.waitForURL(/models\/model_/);
    // The curve is there before the training has ended.
    await page.getByRole('application', { name: 'Loss by epoch' }).waitFor();
    await page.getByRole('tab', { name: 'Predict' }).waitFor({ timeout: 90_000 });
    await page.getByRole('heading', { name: 'Where it errs' }).waitFor();
    await expectNoBarriers('results');

    await page.getByRole('tab', { name: 'Predict' }).click();
    await page.getByRole('textbox', { name: 'Flipper Length (mm)' }).fill('230');
    await page.getByRole('textbox', { name: 'Body Mass (g)' }).fill('5700');
    await page.getByRole('textbox', { name: 'Beak Length (mm)' }).fill('50');
    await page.getByRole('textbox', { name: 'Beak Depth (mm)' }).fill('15');
    await page.getByLabel('Island').click();
    await page.getByRole('option', { name: 'Biscoe' }).click();
    await page.getByRole('button', { name: 'Predict', exact: true }).click();
    await page.locator('[aria-live=polite]').getByText('Gentoo').first().waitFor();
    await expectNoBarriers('predict');

    expect(complaints).toEqual([]);
  },
  240_000,
);

test.skipIf(whyNot !== null)('a dataset of another account is not there', async () => {
  const body = { file: Buffer.from('a\n1\n').toString('base64'), format: 'csv' };
  const other = await ask<{ dataset_id: string }>(`${server.url}/api/v2/data/upload`, { key: adminKey, body });
  await page.goto(`${server.url}/console/datasets/${other.body.dataset_id}`);
  await page.getByRole('alert').getByText('It may have been deleted').waitFor();
});

/** axe finds nothing on the page as it is now. */
async function expectNoBarriers(name: string): Promise<void> {
  await picture(page, `path-${name}`);
  // What fades in has its colours when it has faded in.
  await page.waitForTimeout(350);
  expect(await barriers(page), name).toEqual([]);
}

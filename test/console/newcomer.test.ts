// The newcomer's path in a real browser, from a text in the playground to a prediction, with real data (Palmer penguins).
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type Page, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, adminKey, ask, startTestServer } from '../server.ts';

const executablePath = '/usr/bin/chromium';
const axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Without the browser there is nothing to test with; continuous integration has it. */
const isMissing = !existsSync(executablePath);
if (isMissing) console.warn(`skipped: no browser at ${executablePath} (apt-get install chromium)`);

let server: TestServer;
let browser: Browser;
let page: Page;
const faults: string[] = [];

beforeAll(async () => {
  if (isMissing) return;
  server = await startTestServer();
  const email = 'newcomer@example.com';
  const signedUp = await fetch(`${server.url}/console/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url },
    body: JSON.stringify({ name: 'Nora Newcomer', email, password: 'a long enough password' }),
  });
  expect(signedUp.status).toBe(200);
  const cookie = signedUp.headers.getSetCookie().map(each => {
    const [pair = ''] = each.split(';');
    const [name = '', ...value] = pair.split('=');
    return { name, value: value.join('='), url: server.url };
  });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1360, height: 900 } });
  await context.addCookies(cookie);
  page = await context.newPage();
  page.setDefaultTimeout(40_000);
  page.on('pageerror', error => faults.push(error.message));
  page.on('console', message => {
    // A policy that was broken says so here.
    if (message.type() === 'error') faults.push(message.text());
  });
});

afterAll(async () => {
  await browser?.close();
  await server?.end();
});

test.skipIf(isMissing)(
  'a newcomer gets from a text to a prediction without leaving the console',
  async () => {
    await page.goto(server.url);
    await page.getByText('Get started').waitFor();
    await expectAccessible('overview');

    await page.getByRole('link', { name: /See a text become vectors/ }).click();
    await page.getByRole('button', { name: 'Turn into vectors' }).click();
    await page.getByRole('heading', { name: 'Text with its chunks' }).waitFor();
    // The marks together are the text, overlaps once.
    const marked = await page.locator('mark').allTextContents();
    expect(marked.join('')).toBe(await page.getByRole('textbox', { name: 'Text', exact: true }).inputValue());
    await page.getByRole('button', { name: /^Chunk 2:/ }).click();
    await page.getByRole('heading', { name: 'Vector of chunk 2' }).waitFor();
    expect(await page.locator('pre').innerText()).toContain('/vectorize/chunked');
    await expectAccessible('playground');

    await page.getByRole('link', { name: 'Datasets', exact: true }).click();
    await page.getByRole('button', { name: /Use a sample/ }).click();
    await page.waitForURL(/datasets\/ds_/);
    const table = page.getByRole('table', { name: 'Rows of penguins' });
    await table.getByRole('cell', { name: 'Torgersen' }).first().waitFor();
    expect(await table.getAttribute('aria-rowcount')).toBe('345');
    await expectAccessible('dataset');

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
    await expectAccessible('prepare');
    await page.getByRole('button', { name: 'Apply 2 steps' }).click();
    await page.getByText('342 rows · 7 columns · Version 2').waitFor();

    await page.getByRole('link', { name: 'Train a model' }).click();
    await page.getByLabel('Column to predict').click();
    await page.getByRole('option', { name: /^Species/ }).click();
    await expectAccessible('train');
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.waitForURL(/models\/model_/);
    // The curve is there before the training has ended.
    await page.getByRole('application', { name: 'Loss by epoch' }).waitFor();
    await page.getByRole('tab', { name: 'Predict' }).waitFor({ timeout: 90_000 });
    await page.getByRole('heading', { name: 'Where it errs' }).waitFor();
    await expectAccessible('results');

    await page.getByRole('tab', { name: 'Predict' }).click();
    await page.getByRole('textbox', { name: 'Flipper Length (mm)' }).fill('230');
    await page.getByRole('textbox', { name: 'Body Mass (g)' }).fill('5700');
    await page.getByRole('textbox', { name: 'Beak Length (mm)' }).fill('50');
    await page.getByRole('textbox', { name: 'Beak Depth (mm)' }).fill('15');
    await page.getByLabel('Island').click();
    await page.getByRole('option', { name: 'Biscoe' }).click();
    await page.getByRole('button', { name: 'Predict', exact: true }).click();
    await page.locator('[aria-live=polite]').getByText('Gentoo').first().waitFor();
    await expectAccessible('predict');

    // A refused preview is an answer of 400, which the browser mentions.
    expect(faults.filter(fault => !/status of 400/.test(fault))).toEqual([]);
  },
  240_000,
);

test.skipIf(isMissing)('a dataset of another account is not there', async () => {
  const body = { file: Buffer.from('a\n1\n').toString('base64'), format: 'csv' };
  const other = await ask<{ dataset_id: string }>(`${server.url}/api/v2/data/upload`, { key: adminKey, body });
  await page.goto(`${server.url}/console/datasets/${other.body.dataset_id}`);
  await page.getByRole('alert').getByText('It may have been deleted').waitFor();
});

/** axe finds nothing wrong on the page as it is now. */
async function expectAccessible(name: string): Promise<void> {
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(await readAxe());
  // What fades in has its colours when it has faded in.
  await page.evaluate(
    'Promise.all(document.getAnimations().map(each => each.effect.getTiming().iterations === Infinity ? 0 : each.finished))',
  );
  const violations = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
    'axe.run(document).then(found => found.violations)',
  );
  expect(
    violations.map(
      ({ id, nodes }) =>
        `${name}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join('\n')}`,
    ),
  ).toEqual([]);
}

async function readAxe(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(axeSource, 'utf8');
}

// From `npm start` on with nothing but what the server prints, and with nothing but a keyboard: the administrator by the printed link, a
// key, and a forgotten password by the link in the log.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelsFolder } from '../server.ts';
import { launch, password, visit, whyNot } from './browser.ts';

describe.skipIf(whyNot !== null)('a newcomer with a keyboard', () => {
  let folder: string;
  let server: ChildProcess;
  const printed: string[] = [];
  let browser: Browser;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vectorium-test-'));
    server = spawn(process.execPath, [fileURLToPath(new URL('../../server/vectorium.js', import.meta.url)), 'serve'], {
      env: {
        ...process.env,
        PORT: '0',
        VECTORIUM_DATA: folder,
        VECTORIUM_MODELS: modelsFolder,
        VECTORIUM_PRELOAD: 'none',
        VECTORIUM_LOG_LEVEL: 'info',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [server.stdout, server.stderr])
      if (stream) createInterface(stream).on('line', words => printed.push(words));
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    if (server?.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  });

  test('what the server prints leads to the administrator, a key, and a new password, without a mouse', async () => {
    const address = await told(/The console: +(http\S+)/);
    const link = new URL(await told(/(http\S+\/console\/invitation#token=\S+)/));
    expect(address.startsWith(link.origin)).toBe(true);
    const { page, complaints } = await visit(browser, link.origin);
    await page.goto(link.href);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await type(page, 'Your name', 'Grace Hopper');
    await type(page, 'E-mail', 'grace@example.com');
    await type(page, 'Password', password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Hello, Grace' }).waitFor();
    expect(await page.title()).toBe('Hello, Grace · Vectorium');

    // The first stop leads past the list of pages.
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await reach(page, 'Call it from your code');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
    await reach(page, 'Make a key');
    await page.keyboard.press('Enter');
    await type(page, 'Name', 'search service');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Copy your key now' }).waitFor();
    await reach(page, 'I have copied it');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: /^search service/ }).waitFor();
    // A menu by its keys, left again without choosing, with the focus back where it was.
    await reach(page, 'Actions for “search service”');
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Change' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Actions for “search service”');
    expect(complaints).toEqual([]);

    const lost = await visit(browser, link.origin);
    await lost.page.goto('/console/reset-password');
    await type(lost.page, 'E-mail', 'grace@example.com');
    await lost.page.keyboard.press('Enter');
    await lost.page.getByText('ask its operator for the link').waitFor();
    const reset = new URL(await told(/"link":"([^"]+reset-password#token=[^"]+)"/));
    await lost.page.goto('about:blank');
    await lost.page.goto(reset.href);
    await type(lost.page, 'New password', 'another long password');
    expect(lost.page.url()).not.toContain('token');
    await lost.page.keyboard.press('Enter');
    await lost.page.getByText('Your new password is set').waitFor();
    await lost.page.getByRole('link', { name: 'Back to sign in' }).press('Enter');
    await type(lost.page, 'E-mail', 'grace@example.com');
    await type(lost.page, 'Password', 'another long password');
    await lost.page.keyboard.press('Enter');
    await lost.page.getByRole('heading', { name: 'Hello, Grace' }).waitFor();
    // The new password has ended the other session.
    await page.goto('/console/keys');
    await page.waitForURL(/\/console\/sign-in/);
    expect(lost.complaints).toEqual([]);
  }, 240_000);

  test('nothing moves where motion is to be reduced, and what has the focus is seen', async () => {
    const { page } = await visit(browser, new URL(await told(/The console: +(http\S+)/)).origin);
    await page.goto('/console/sign-in');
    await page.getByRole('heading', { level: 1 }).waitFor();
    const moving = await page.evaluate<string[]>(`[...document.querySelectorAll('*')].flatMap(element => {
      const { transitionDuration, animationDuration, animationName } = getComputedStyle(element);
      const seconds = Math.max(...(transitionDuration + ',' + (animationName === 'none' ? '0s' : animationDuration)).split(',').map(parseFloat));
      return seconds > 0.01 ? [element.outerHTML.slice(0, 80)] : [];
    })`);
    expect(moving).toEqual([]);
    for (let stop = 0; stop < 6; stop++) {
      await page.keyboard.press('Tab');
      const seen = await page.evaluate<string>(`(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 || boxShadow !== 'none' ? '' : document.activeElement.outerHTML;
      })()`);
      expect(seen).toBe('');
    }
  });

  /** What is found in a line that the server has printed, or will. */
  async function told(pattern: RegExp): Promise<string> {
    await expect.poll(() => printed.some(each => pattern.test(each)), { timeout: 180_000 }).toBe(true);
    const found = printed.findLast(each => pattern.test(each));
    return pattern.exec(found ?? '')?.[1] ?? '';
  }
});

/** Goes from stop to stop until one has this name, as somebody without a mouse does. */
async function reach(page: Page, name: string): Promise<void> {
  for (let stop = 0; stop < 60; stop++) {
    if ((await focused(page)).startsWith(name)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`no stop of the keyboard is called ${name}; the last was ${await focused(page)}`);
}

async function type(page: Page, label: string, words: string): Promise<void> {
  await page.getByLabel(label, { exact: true }).waitFor();
  await reach(page, label);
  await page.keyboard.type(words);
}

/** What the element with the focus is called. */
function focused(page: Page): Promise<string> {
  return page.evaluate<string>(`(() => {
    const element = document.activeElement;
    return (element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText ?? element.innerText ?? '').trim();
  })()`);
}

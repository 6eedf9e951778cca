// A real browser before a real server: Debian's Chromium through Playwright, with everything that it complained about.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type Page, chromium } from 'playwright-core';

const executablePath = process.env.VECTORIUM_CHROMIUM ?? '/usr/bin/chromium';
/** `required` where nobody may skip these tests. */
const isRequired = process.env.VECTORIUM_BROWSER_TESTS === 'required';
/** Pictures of pages are kept here, for people to look at. */
const pictures = process.env.VECTORIUM_SCREENSHOTS;

/** Why there are no browser tests here; null when there are. */
export const whyNot =
  existsSync(executablePath) || isRequired
    ? null
    : `there is no Chromium at ${executablePath} (apt-get install chromium, or VECTORIUM_CHROMIUM)`;

export interface Visitor {
  page: Page;
  /** Errors on the page's console, among them whatever the policy refused. */
  complaints: string[];
}

export function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: isRoot ? ['--no-sandbox'] : [] });
}

export async function visit(
  browser: Browser,
  url: string,
  { width = 1280, height = 860, theme = 'light' }: { width?: number; height?: number; theme?: 'light' | 'dark' } = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width, height },
    colorScheme: theme,
    locale: 'en-US',
    reducedMotion: 'reduce',
  });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('console', message => {
    // A refusal of the API is no fault of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  return { page, complaints };
}

/** What axe finds on the page, each as `rule: element`. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(await axe());
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html.slice(0, 160)}`));
  });
}

/** Keeps a picture of the page where VECTORIUM_SCREENSHOTS says so. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return;
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

interface Axe {
  run(
    root: unknown,
    options: { runOnly: string[] },
  ): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

declare const document: unknown;

let source: Promise<string> | null = null;

function axe(): Promise<string> {
  source ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  return source;
}

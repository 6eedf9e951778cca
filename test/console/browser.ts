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

/** Of everybody in these tests. */
export const password = 'a horse without a battery';

export interface Visitor {
  page: Page;
  /** Errors on the page's console, among them whatever the policy refused. */
  complaints: string[];
}

export interface Look {
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
  /** Decides the console's language: tr-TR is Turkish. */
  locale?: string;
}

export function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: isRoot ? ['--no-sandbox'] : [] });
}

export async function visit(
  browser: Browser,
  url: string,
  { width = 1280, height = 860, theme = 'light', locale = 'en-US' }: Look = {},
): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width, height },
    colorScheme: theme,
    locale,
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

/** A visitor who has signed up, with an account of his own. */
export async function visitAs(browser: Browser, url: string, name: string, look: Look = {}): Promise<Visitor> {
  const visitor = await visit(browser, url, look);
  const answer = await visitor.page.request.post('/console/auth/sign-up/email', {
    headers: { origin: url },
    data: { name, email: `${name.split(' ')[0]?.toLowerCase()}@example.com`, password },
  });
  if (!answer.ok()) throw new Error(`signing up as ${name}: ${await answer.text()}`);
  return visitor;
}

/** A page as it is when everything has come. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForLoadState('networkidle');
}

/** What axe finds on the page, each as `rule: element`. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(await axe());
  return page.evaluate(async () => {
    // Base UI's guards of open menus are behind aria-hidden and give the focus away the moment they get it.
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run(
      { exclude: ['[data-base-ui-focus-guard]'] },
      {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      },
    );
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

let source: Promise<string> | null = null;

function axe(): Promise<string> {
  source ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  return source;
}

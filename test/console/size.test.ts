// What a browser must fetch and run before it shows anything of the console.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const dist = fileURLToPath(new URL('../../console/dist', import.meta.url));
const assets = join(dist, 'console', 'assets');
const mostBytes = 250_000;

test.skipIf(!existsSync(dist))('the first scripts, with the frame around every page, are small', () => {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const first = [...html.matchAll(/(?:src|href)="\/console\/assets\/([^"]+\.js)"/g)].map(([, name]) => name ?? '');
  const frame = readdirSync(assets).filter(name => name.startsWith('frame-') && name.endsWith('.js'));
  const bytes = [...withImports([...first, ...frame])].map(name => gzipSync(readFileSync(join(assets, name))).length);
  const sum = bytes.reduce((total, each) => total + each, 0);
  expect(first.length).toBeGreaterThan(0);
  expect(frame.length).toBe(1);
  expect(sum).toBeLessThan(mostBytes);
});

test.skipIf(!existsSync(dist))("the contract's schemas are not among the scripts", () => {
  const scripts = readdirSync(assets).filter(name => name.endsWith('.js'));
  for (const name of scripts)
    expect([name, readFileSync(join(assets, name), 'utf8').includes('ZodError')]).toEqual([name, false]);
});

/** These scripts, and all that they import before they run. */
function withImports(names: readonly string[], found = new Set<string>()): Set<string> {
  for (const name of names) {
    if (found.has(name)) continue;
    found.add(name);
    const script = readFileSync(join(assets, name), 'utf8');
    const imported = script.matchAll(/(?:^|[;}\n])\s*import(?:[^"`();]*?from)?\s*["`]\.\/([^"`]+\.js)["`]/g);
    withImports(
      [...imported].map(([, other]) => other ?? ''),
      found,
    );
  }
  return found;
}

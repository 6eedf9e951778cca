// The README keeps its word.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RULES } from './gradients.ts';

const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');

test('the program runs as it stands, in 20 lines, and learns', () => {
  const program = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
  expect(program.split('\n').filter(line => line !== '').length).toBeLessThanOrEqual(20);
  const folder = mkdtempSync(join(tmpdir(), 'vectorium-tensor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'program.ts');
  // The file lies outside of the workspace, where names of packages mean nothing.
  const resolved = program
    .replace("'@vectorium/tensor'", `'${new URL('index.ts', import.meta.url).href}'`)
    .replace("'onnxruntime-node'", `'${import.meta.resolve('onnxruntime-node')}'`);
  writeFileSync(path, resolved);
  const printed = execFileSync(process.execPath, [path], { encoding: 'utf8' });
  const [before = NaN, after = NaN] = (printed.match(/\d+\.\d+(e-\d+)?/g) ?? []).map(Number);
  expect(before).toBeGreaterThan(0.3);
  expect(after).toBeLessThan(0.01);
});

test('the tables name every operator, on the side where it belongs', () => {
  const [yes = '', no = ''] = readme.split('## Primitives')[1]?.split('| without one | why |') ?? [];
  for (const [op, rule] of Object.entries(RULES)) {
    const [here, there] = typeof rule === 'function' ? [yes, no] : [no, yes];
    expect(here, op).toContain(`\`${op}\``);
    expect(there, op).not.toContain(`\`${op}\``);
  }
});

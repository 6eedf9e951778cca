// Every sample of the HashHub document, run as it is printed: only the host and the key are changed.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { installPython } from './python.ts';
import { adminKey, ask, startTestServer, type TestServer } from './server.ts';
import { writeStandIns } from './stand-ins.ts';

const run = promisify(execFile);
let server: TestServer | undefined;
let document: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-samples-'));
  const { url } = (server = await startTestServer({
    environment: { VECTORIUM_MODELS: join(folder, 'models') },
    prepare: writeStandIns,
  }));
  // The first request for a model fetches it and is told to come again; the samples don't.
  for (const model of ['gte_base', 'e5_base'])
    await vi.waitFor(
      async () =>
        expect((await ask(`${url}/vectorize`, { key: adminKey, body: { text: 'ready?', model } })).status).toBe(200),
      { timeout: 60_000, interval: 500 },
    );
  const text = await readFile(new URL('../docs/spec/hashhub-vector-api.md', import.meta.url), 'utf8');
  document = text
    .replaceAll('https://vector.hashhub.dev', url)
    .replaceAll(/Bearer (sk-abcd1234\.\.\.|your_api_key_here)/g, `Bearer ${adminKey}`)
    .replaceAll('"sk-abcd1234..."', JSON.stringify(adminKey));
});

afterAll(async () => {
  await server?.end();
  await rm(folder, { recursive: true, force: true });
});

test('the curl samples', async () => {
  const samples = blocks('bash').filter(code => code.startsWith('curl'));
  expect(samples.length).toBe(2);
  for (const sample of samples) {
    const { stdout } = await run('bash', ['-c', sample]);
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    expect(answer).toSatisfy(() => Array.isArray(answer['vector']) || answer['default_model'] !== undefined);
  }
});

test('the Python samples', async ({ skip }) => {
  const packages = await installPython(['httpx']);
  if (packages === null) return skip('pip can not install httpx here');
  const samples = blocks('python');
  expect(samples.length).toBe(3);
  const script = `import ast, asyncio, inspect, sys
code = compile(open(sys.argv[1]).read(), sys.argv[1], 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {}
asyncio.run(eval(code, names))
assert len(names['vector']) == 32, names['vector']
assert len(names['chunks_result']['chunks']) == len(names['chunks_result']['vectors']) > 0
assert len(names['batch_result']['vectors']) == 5
`;
  await writeFile(join(folder, 'samples.py'), samples.join('\n'));
  const { stdout } = await run('python3', ['-c', script, join(folder, 'samples.py')], {
    env: { ...process.env, PYTHONPATH: packages, PYTHONIOENCODING: 'utf-8' },
  });
  expect(stdout).toContain('✅ Success!');
  expect(stdout).toContain('Total tokens used:');
});

test('the TypeScript sample', async () => {
  const [sample, ...more] = blocks('typescript');
  expect(more).toEqual([]);
  const file = join(folder, 'sample.ts');
  // Node runs TypeScript by removing types, which parameter properties don't survive; all else is as printed.
  await writeFile(
    file,
    String(sample).replace(
      'constructor(private apiKey: string) {}',
      'private apiKey: string; constructor(apiKey: string) { this.apiKey = apiKey; }',
    ),
  );
  const { stdout } = await run(process.execPath, ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', file]);
  expect(stdout).toMatch(/Vector dimension: 32\nTokens used: \d+/);
});

function blocks(language: string): string[] {
  const pattern = new RegExp('```' + language + '\\n([\\s\\S]*?)```', 'g');
  return [...document.matchAll(pattern)].map(match => match[1] ?? '');
}

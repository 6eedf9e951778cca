// Every architecture against what its published code computes on the same small random weights (fixtures/make_encoders.py).
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileEncoder } from './compile.ts';
import { distanceBucket } from './mpnet.ts';
import { copyOf, cosine, embed, farthest, open } from './testing.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/encoders');
const ENCODERS = ['bert', 'xlm-roberta', 'mpnet', 'gte', 'nomic-moe', 'nomic-gated', 'bert-onnx'];

interface Expected {
  texts: { ids: number[]; mean: number[]; first: number[]; last: number[] }[];
}
const expectedOf = async (name: string): Promise<Expected> =>
  JSON.parse(await readFile(join(FIXTURES, name, 'expected.json'), 'utf8')) as Expected;

describe.each(ENCODERS)('%s', name => {
  test('computes what the reference computes, with either pooling', async () => {
    const folder = await copyOf(join(FIXTURES, name));
    const { texts } = await expectedOf(name);
    for (const pooling of ['mean', 'first'] as const) {
      const graph = await compileEncoder(folder, { pooling });
      const session = await open(graph.path);
      for (const text of texts) {
        const { vectors, hidden } = await embed(session, [text.ids]);
        const [vector = [], states = []] = [vectors[0], hidden[0]];
        expect(vector).toHaveLength(graph.dimension);
        expect(cosine(vector, text[pooling])).toBeGreaterThan(0.999999);
        expect(farthest(vector, text[pooling])).toBeLessThan(1e-4);
        expect(farthest(states.slice(-graph.dimension), text.last)).toBeLessThan(1e-4);
      }
      await session.release();
    }
  });

  test('gives the same vector alone, in any batch and with any padding', async () => {
    const folder = await copyOf(join(FIXTURES, name));
    const texts = (await expectedOf(name)).texts.map(({ ids }) => ids);
    const session = await open((await compileEncoder(folder, { pooling: 'mean' })).path);
    const together = await embed(session, texts, { tokens: 60 });
    const otherPadding = await embed(session, texts, { padding: 77 });
    for (const [i, text] of texts.entries()) {
      const alone = (await embed(session, [text])).vectors[0] ?? [];
      for (const { vectors } of [together, otherPadding]) {
        expect(cosine(vectors[i] ?? [], alone)).toBeGreaterThan(0.999999);
        expect(farthest(vectors[i] ?? [], alone)).toBeLessThan(1e-5);
      }
    }
    await session.release();
  });
});

test('MPNet puts every distance into the bucket that the reference puts it into', async () => {
  const { first, buckets } = JSON.parse(await readFile(join(FIXTURES, 'mpnet', 'buckets.json'), 'utf8')) as {
    first: number;
    buckets: number[];
  };
  expect(buckets.map((_, i) => distanceBucket(first + i, 32))).toEqual(buckets);
});

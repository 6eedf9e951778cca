import { expect, test } from 'vitest';
import { sumSpans } from './late.ts';
import { EmbedRequest } from './request.ts';
import type { ModelHandle } from './types.ts';

const frame = { before: Int32Array.of(0), after: Int32Array.of(0) };
const model: ModelHandle = {
  id: 'stub',
  folder: '',
  pooling: 'mean',
  maxTokens: 12,
  dimension: 2,
  normalize: false,
  prefixes: {},
};

test('late: a chunk gets the mean of its tokens, in whatever order the windows that it goes through come back', async () => {
  const ids = Int32Array.from({ length: 60 }, (_, index) => index + 1);
  const chunks = [0, 7, 14, 20, 50].map((from, index, all) => {
    const to = all[index + 1] ?? ids.length;
    return { start: from, end: to, from, tokens: to - from, ids: ids.subarray(from, to) };
  });
  const request = new EmbedRequest(model, [{ tokens: ids.length, chunks, late: true }], frame);
  expect(request.passes.length).toBeGreaterThan(5);
  for (const pass of request.passes.toReversed()) {
    // A token's vector is its id and one.
    const hidden = Float32Array.from([...pass.ids].flatMap(id => [id, 1]));
    pass.part.deliver(sumSpans(hidden, model.dimension, pass.spans ?? new Int32Array()));
  }
  const [vectors = []] = await request.result;
  for (const [index, chunk] of chunks.entries()) {
    // The frame's tokens count to the first chunk and to the last.
    const count = chunk.tokens + (index === 0 || index === chunks.length - 1 ? 1 : 0);
    const mean = chunk.ids.reduce((sum, id) => sum + id, 0) / count;
    expect([...(vectors[index] ?? [])]).toEqual([Math.fround(mean), 1]);
  }
});

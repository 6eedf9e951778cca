import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

test('the first retry comes at once, further ones after doubling waits up to half a minute, and success forgets', () => {
  const backoff = new Backoff();
  expect(backoff.waitMs(0)).toBe(0);
  const waits = Array.from({ length: 12 }, () => {
    backoff.failed(1000);
    return backoff.waitMs(1000);
  });
  expect(waits.slice(0, 4)).toEqual([0, 250, 500, 1000]);
  expect(waits.at(-1)).toBe(30_000);
  expect(backoff.waitMs(1000 + 30_000)).toBe(0);
  backoff.succeeded();
  expect(backoff.waitMs(1000)).toBe(0);
});

import { expect, test } from 'vitest';
import { check, routes } from './index.ts';

const { vectorize, vectorizeBatch, embeddings, changeAccount, createAccount, getUsage, listAccounts } = routes;

function refusal(body: unknown, route: { body: Parameters<typeof check>[0] } = vectorize) {
  const checked = check(route.body, body);
  if (checked.ok) throw new Error('was accepted');
  return checked.refusal;
}

test.each([
  [1, '', 'the body must be an object, not a number'],
  [null, '', 'the body must be an object, not null'],
  [undefined, '', 'the body is required'],
  [{}, 'text', 'text is required'],
  [{ text: null }, 'text', 'text must be a string, not null'],
  [{ text: 3 }, 'text', 'text must be a string, not a number'],
  [{ text: ['a'] }, 'text', 'text must be a string, not a list'],
  [{ text: 'a', chunk_size: '5' }, 'chunk_size', 'chunk_size must be a number, not a string'],
  [{ text: 'a', chunk_size: 1.5 }, 'chunk_size', 'chunk_size must be a whole number, not a fraction'],
  [{ text: 'a', chunk_size: Infinity }, 'chunk_size', 'chunk_size must be a number, not a number that large'],
  [{ text: 'a', chunk_overlap: true }, 'chunk_overlap', 'chunk_overlap must be a number, not true or false'],
  [{ text: 'a', normalize: 'true' }, 'normalize', 'normalize must be true or false, not a string'],
  [{ text: 'a', chunking_method: 3 }, 'chunking_method', 'chunking_method must be one of sentence_aware, fixed, late'],
])('a missing field or a wrong type is a VALIDATION_ERROR: %j', (body, path, message) => {
  const { code, errors, ...rest } = refusal(body);
  expect({ code, message: rest.message, path: errors?.[0]?.path }).toEqual({ code: 'VALIDATION_ERROR', message, path });
});

test.each([
  [{ text: '' }, 'EMPTY_TEXT', 'text is empty'],
  [{ text: ' \n\u3000' }, 'EMPTY_TEXT', 'text holds nothing but white space'],
  [{ text: 'a'.repeat(1_000_001) }, 'TEXT_TOO_LONG', 'text has 1000001 characters; at most 1000000 are taken'],
  [{ text: 'a\ud800' }, 'INVALID_PARAMETER', 'text holds half of a surrogate pair, which is no character'],
  [{ text: 'a', chunk_size: -1e300 }, 'INVALID_PARAMETER', 'chunk_size is far out of range'],
  [{ text: 'a', chunk_overlap: 0.81 }, 'INVALID_PARAMETER', 'chunk_overlap must be at most 0.8'],
  [{ text: 'a', chunk_overlap: -0.1 }, 'INVALID_PARAMETER', 'chunk_overlap must be at least 0'],
  [
    { text: 'a', chunking_method: 'x' },
    'INVALID_PARAMETER',
    'chunking_method must be one of sentence_aware, fixed, late',
  ],
])('a wrong value has a code of its own: %j', (body, code, message) => {
  const found = refusal(body);
  expect(found).toMatchObject({ code, message });
  expect(found.errors).toBeUndefined();
});

test('a wrong type counts before a wrong value', () => {
  expect(refusal({ text: '', chunk_size: 'x' }).code).toBe('VALIDATION_ERROR');
});

test('characters are code points', () => {
  expect(check(vectorize.body, { text: '😀'.repeat(1_000_000) }).ok).toBe(true);
  expect(refusal({ text: '😀'.repeat(1_000_001) }).code).toBe('TEXT_TOO_LONG');
});

test('null for an optional field means absent', () => {
  const nulls = { text: 'a', model: null, chunk_size: null, chunk_overlap: null, normalize: null, dimensions: null };
  expect(check(vectorize.body, nulls)).toEqual(check(vectorize.body, { text: 'a' }));
  expect(check(vectorize.body, { text: 'a' })).toMatchObject({
    value: {
      text: 'a',
      normalize: true,
      chunk_overlap: 0.1,
      chunking_method: 'sentence_aware',
      encoding_format: 'float',
    },
  });
});

test('unknown fields and __proto__ are left out on the vector routes', () => {
  const checked = check(vectorize.body, JSON.parse('{"text":"a","foo":1,"__proto__":{"model":"x"},"constructor":{}}'));
  expect(checked).toEqual(check(vectorize.body, { text: 'a' }));
});

test('unknown fields are refused on the administration routes', () => {
  expect(refusal({ email: 'a@b.co', credit: 3 }, createAccount)).toMatchObject({
    message: 'the body has unknown fields: credit',
  });
  expect(refusal({ limits: { minute: 3 } }, changeAccount)).toMatchObject({
    param: 'limits',
    code: 'VALIDATION_ERROR',
  });
});

test('the fault of a batch names the index', () => {
  expect(refusal({ texts: ['a', ' '] }, vectorizeBatch)).toMatchObject({ code: 'EMPTY_TEXT', param: 'texts[1]' });
  expect(refusal({ texts: ['a', 3, null] }, vectorizeBatch)).toMatchObject({
    code: 'VALIDATION_ERROR',
    message: 'texts[1] must be a string, not a number',
    errors: [{ path: 'texts[1]' }, { path: 'texts[2]' }],
  });
  expect(refusal({ texts: [] }, vectorizeBatch)).toMatchObject({ code: 'INVALID_PARAMETER', param: 'texts' });
});

test('texts that are too long together are refused where the limit is passed', () => {
  const texts = Array.from({ length: 11 }, () => 'b'.repeat(1_000_000));
  expect(check(vectorizeBatch.body, { texts: texts.slice(1) }).ok).toBe(true);
  expect(refusal({ texts }, vectorizeBatch)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', param: 'texts[10]' });
});

test("OpenAI's input takes strings and tokens, and says what is wrong inside", () => {
  for (const input of ['a', ['a', 'b'], [1, 2], [[1], [2, 3]]]) expect(check(embeddings.body, { input }).ok).toBe(true);
  expect(refusal({ input: ['a', ''] }, embeddings)).toMatchObject({ code: 'EMPTY_TEXT', param: 'input[1]' });
  expect(refusal({ input: [[1], [-1]] }, embeddings)).toMatchObject({
    code: 'INVALID_PARAMETER',
    param: 'input[1][0]',
  });
  for (const input of [3, [], {}, [null], null, [{}]]) expect(refusal({ input }, embeddings).param).toMatch(/^input/);
});

test('a query has its numbers and flags as text', () => {
  expect(check(listAccounts.query, {})).toEqual({ ok: true, value: { limit: 100 } });
  expect(check(listAccounts.query, { limit: '7' })).toEqual({ ok: true, value: { limit: 7 } });
  for (const limit of ['x', '0', '1001', '1e3', '']) expect(check(listAccounts.query, { limit }).ok).toBe(false);
  expect(check(listAccounts.query, { limit: ['1', '2'] })).toMatchObject({ refusal: { code: 'VALIDATION_ERROR' } });
  expect(check(getUsage.query, { include_daily_breakdown: 'false', from: '2026-02-01' })).toMatchObject({
    value: { include_daily_breakdown: false, from: new Date('2026-02-01') },
  });
  expect(check(getUsage.query, { from: 'yesterday' }).ok).toBe(false);
});

import { type Route, routes } from '@vectorium/contract';
import { assert, constantFrom, json as anyJson, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readJson } from './json.ts';

const anything: Route = { ...routes.vectorize, body: z.unknown(), maxBodyValues: 1000 };
const read = (text: string | Buffer, route: Route = anything) => readJson(Buffer.from(text as string), route);
const refused = (text: string | Buffer, route?: Route) => {
  const checked = read(text, route);
  return checked.ok ? null : checked.refusal;
};

const list = (items: number) => JSON.stringify(Array.from({ length: items }, (_, index) => index));

test('gives what JSON.parse gives, for any value and any white space', () => {
  assert(
    property(anyJson({ maxDepth: 5 }), constantFrom(0, 1, '\t'), (json, space) => {
      const value: unknown = JSON.parse(json);
      expect(read(JSON.stringify(value, null, space))).toEqual({ ok: true, value });
    }),
  );
});

test('brackets, commas and quotes inside strings do not count', () => {
  assert(
    property(string({ unit: constantFrom('"', '\\', '[', '{', ',', ']', 'a', '\n') }), text => {
      expect(read(JSON.stringify([text]), { ...anything, maxBodyValues: 2 })).toEqual({ ok: true, value: [text] });
    }),
  );
  expect(read(JSON.stringify('['.repeat(10_000))).ok).toBe(true);
});

test('counts values exactly as far as the bound goes', () => {
  expect(read(list(999)).ok).toBe(true);
  expect(refused(list(1001))).toEqual({ code: 'PAYLOAD_TOO_LARGE', message: 'the body has more than 1000 values' });
});

test('nesting is refused at the 65th level, however much follows', () => {
  expect(read('['.repeat(64) + ']'.repeat(64)).ok).toBe(true);
  expect(refused('['.repeat(65) + ']'.repeat(65))).toMatchObject({ code: 'INVALID_JSON' });
  for (const piece of ['[', '{"a":', '[{"a":']) {
    const body = Buffer.from(piece.repeat(5_000_000));
    const before = process.threadCpuUsage();
    expect(refused(body)).toMatchObject({ code: 'INVALID_JSON', message: 'the body is nested deeper than 64 levels' });
    // Processor time in microseconds: looking at all of it would take more.
    expect(process.threadCpuUsage(before).user).toBeLessThan(200_000);
  }
});

test('what is not JSON is refused with the place, and without a word of the body', () => {
  expect(refused('{"text": "a" "secret"}')).toEqual({
    code: 'INVALID_JSON',
    message: 'the body is not JSON: unexpected character at position 13',
  });
  for (const text of ['{"text": secret}', '{"text": "secret']) expect(refused(text)?.message).not.toContain('secret');
  expect(refused('[1,2')).toMatchObject({ code: 'INVALID_JSON' });
  for (const text of ['{', '}', '"', 'nul', "{'a':1}", '{"a":1,}', 'NaN', '[1]]', '\u0000', '/**/1', '01', '1 2'])
    expect(refused(text), text).toMatchObject({ code: 'INVALID_JSON' });
});

test('broken UTF-8 is refused, a byte order mark is not', () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]])
    expect(refused(Buffer.from([0x22, ...bytes, 0x22]))).toEqual({
      code: 'INVALID_JSON',
      message: 'the body is not UTF-8',
    });
  expect(read(Buffer.from('\ufeff"a"'))).toEqual({ ok: true, value: 'a' });
});

test('no body is a missing body', () => {
  expect(refused('', routes.vectorize)).toMatchObject({ code: 'VALIDATION_ERROR', message: 'the body is required' });
});

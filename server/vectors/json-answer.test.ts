import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Answer, Base64Vector, jsonBody, jsonPieces } from './json-answer.ts';

test('any JSON value reads back as what JSON.stringify would have sent', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const text = Buffer.concat([...jsonPieces(value as Answer)]).toString();
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('vectors are arrays of numbers, base64 vectors little-endian float32, undefined fields left out', () => {
  const vector = Float32Array.of(0.1, -2, 3e-9);
  const text = String(jsonBody({ vector, empty: new Float32Array(0), other: undefined, list: [undefined, vector] }));
  expect(text).toBe('{"vector":[0.1,-2,3e-9],"empty":[],"list":[null,[0.1,-2,3e-9]]}');
  const [bytes] = JSON.parse(String(jsonBody([new Base64Vector(vector)])));
  const decoded = Buffer.from(bytes, 'base64');
  expect([0, 4, 8].map(at => decoded.readFloatLE(at))).toEqual([...vector]);
});

test('a large answer comes in several pieces and is complete', () => {
  const vectors = randomVectors(300);
  const pieces = [...jsonPieces({ vectors })];
  expect(pieces.length).toBeGreaterThan(3);
  expect(jsonBody({ vectors })).toBeInstanceOf(Readable);
  const back: { vectors: number[][] } = JSON.parse(Buffer.concat(pieces).toString());
  expect(back.vectors.map(numbers => Float32Array.from(numbers))).toEqual(vectors);
});

test('long texts between the vectors are cut into pieces too', () => {
  const chunks = Array.from({ length: 500 }, () => 'Größe 世界 "\n '.repeat(200));
  const pieces = [...jsonPieces({ chunks })];
  expect(Math.max(...pieces.map(piece => piece.length))).toBeLessThan(1e6);
  expect(JSON.parse(Buffer.concat(pieces).toString())).toEqual({ chunks });
});

test('a thousand vectors of 768 hold up the event loop for no longer than a few milliseconds at a time', async () => {
  const vectors = randomVectors(1000);
  for (const piece of jsonPieces(randomVectors(100))) void piece; // lets the compiler have its turn
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let bytes = 0;
  for await (const piece of jsonBody({ vectors })) bytes += piece.length;
  delay.disable();
  expect(bytes).toBeGreaterThan(8e6);
  expect(delay.percentile(90) / 1e6).toBeLessThan(20); // a generous bound: other tests share the machine
});

function randomVectors(count: number): Float32Array[] {
  return Array.from({ length: count }, () => Float32Array.from({ length: 768 }, () => (Math.random() - 0.5) / 10));
}

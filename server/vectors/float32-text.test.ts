import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_NUMBER_BYTES, float32Text, writeFloat32s } from './float32-text.ts';

/** Every finite float32, by its bits: uniform over patterns, so subnormals and huge numbers come up too. */
const finite = fc
  .integer({ min: 0, max: 0xffffffff })
  .map(float32OfBits)
  .filter(value => Number.isFinite(value));

test('the text of any float32 reads back as the same float32', () => {
  fc.assert(
    fc.property(finite, value => Object.is(Math.fround(JSON.parse(float32Text(value))), value)),
    { numRuns: 50_000 },
  );
});

test('no decimal with fewer digits reads back as the same float32', () => {
  fc.assert(fc.property(finite, hasFewestDigits), { numRuns: 20_000 });
});

test('numbers of the size of vector components are shortest too', () => {
  const component = fc.float({ min: -1, max: 1, noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(component, value => reads(value) && hasFewestDigits(value)),
    { numRuns: 20_000 },
  );
});

test('the layout is that of JavaScript, so a parsed answer printed again is the same text', () => {
  fc.assert(
    fc.property(finite, value => Object.is(value, -0) || float32Text(value) === String(Number(float32Text(value)))),
    { numRuns: 20_000 },
  );
});

test('edges: zeros, subnormals, the largest, and every power of two and ten with its neighbours', () => {
  expect(float32Text(0)).toBe('0');
  expect(float32Text(-0)).toBe('-0');
  expect(float32Text(2 ** -149)).toBe('1e-45');
  expect(float32Text(-(2 ** -149))).toBe('-1e-45');
  expect(float32Text(2 ** -126)).toBe('1.1754944e-38');
  expect(float32Text(3.4028234663852886e38)).toBe('3.4028235e+38');
  expect(float32Text(Math.fround(0.1))).toBe('0.1');
  expect(float32Text(16777216)).toBe('16777216');
  expect(float32Text(Math.fround(-1.5e-7))).toBe('-1.5e-7');

  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  const bases = [];
  for (let power = -149; power <= 127; power++) bases.push(2 ** power);
  for (let power = -45; power <= 38; power++) bases.push(Number(`1e${power}`));
  for (const base of bases) {
    for (const step of [-2, -1, 0, 1, 2]) {
      number[0] = base;
      bits[0] = (bits[0] ?? 0) + step;
      const value = number[0] ?? 0;
      if (!Number.isFinite(value)) continue;
      expect(reads(value), String(value)).toBe(true);
      expect(hasFewestDigits(value), String(value)).toBe(true);
    }
  }
});

test('no number needs more room than is promised', () => {
  fc.assert(
    fc.property(finite, value => float32Text(value).length < MAX_NUMBER_BYTES),
    { numRuns: 20_000 },
  );
});

test('NaN and infinities are refused', () => {
  for (const value of [Number.NaN, Infinity, -Infinity]) expect(() => float32Text(value)).toThrow(RangeError);
});

test('a slice of a vector is written between commas', () => {
  const bytes = new Uint8Array(5 * MAX_NUMBER_BYTES);
  const end = writeFloat32s(Float32Array.of(9, 1, -0.5, 0.25, 9), { from: 1, to: 4 }, bytes, 1);
  expect(Buffer.from(bytes.subarray(1, end)).toString()).toBe('1,-0.5,0.25');
});

function reads(value: number): boolean {
  return Object.is(Math.fround(JSON.parse(float32Text(value))), value);
}

/** Tries both decimals around the number with one digit less than its text has. */
function hasFewestDigits(value: number): boolean {
  const digits = float32Text(value)
    .replace(/^-|e.*$|\./g, '')
    .replace(/^0+|0+$/g, '').length;
  if (digits <= 1) return true;
  const [mantissa = '', exponent = ''] = Math.abs(value)
    .toExponential(digits - 2)
    .split('e');
  const nearest = Number(mantissa.replace('.', ''));
  return [nearest - 1, nearest, nearest + 1].every(
    shorter => Math.fround(Number(`${shorter}e${Number(exponent) - digits + 2}`)) !== Math.abs(value),
  );
}

function float32OfBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
}

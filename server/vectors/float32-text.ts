// Prints float32 numbers in decimal with the fewest digits that give the same float32 back, straight into bytes.
//
// Why not JSON.stringify: it prints the float32 as the double that it was widened to, up to 17 digits of which 9 mean
// something: twice the bytes and several times the work.
//
// How: every decimal between the midpoints to the two neighbouring float32 reads back as the number itself. Number and
// midpoints are exact as doubles (24 and 25 bits of 53). All three are multiplied by the power of ten that gives the
// number nine digits before the point, where nine digits always suffice; a product is off by less than 1e-6 then, the
// midpoints are at least 2.9 away from the number. The most trailing zeros that a whole number between the midpoints can
// have are found by division, and the nearest such number is printed. When a midpoint lies so close to a whole number
// that the rounding error could decide, the question is put to `Number` and `Math.fround` themselves (`exactDigits`).

/** The most bytes that one number takes: a sign and 21 digits, with room for a separator. */
export const MAX_NUMBER_BYTES = 24;

/**
 * Writes `values[from]` to `values[to - 1]`, separated by commas, into `bytes` at `offset`; returns the offset behind the
 * last byte. The text of a number is what `String(Number(text))` gives, except that -0 keeps its sign.
 * `bytes` must have `MAX_NUMBER_BYTES` for each number. Throws a RangeError at NaN and infinities: JSON has no words for them.
 */
export function writeFloat32s(values: Float32Array, { from, to }: Range, bytes: Uint8Array, offset: number): number {
  let at = offset;
  for (let index = from; index < to; index++) {
    if (index > from) bytes[at++] = COMMA;
    at = writeFloat32(values[index] ?? Number.NaN, bytes, at);
  }
  return at;
}

/** The shortest text of one float32 number. */
export function float32Text(value: number): string {
  const bytes = Buffer.alloc(MAX_NUMBER_BYTES);
  return bytes.toString('latin1', 0, writeFloat32(value, bytes, 0));
}

/** Half-open. */
interface Range {
  from: number;
  to: number;
}

const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const SMALL_E = 101;

/** Above the products' rounding error (1e9 × 2^-52 = 2.3e-7), far below the distance of the midpoints. */
const UNSURE = 1e-6;

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

// For each of the 255 finite binary exponents: the power of ten that gives numbers with this exponent nine digits before
// the point (numbers at the top of the octave may get a tenth: then the next entry of the smaller power serves).
const tenExponents = new Int32Array(255);
const scales = new Float64Array(255);
const smallerScales = new Float64Array(255);
/** Half the distance to the next float32 above. */
const halfGaps = new Float64Array(255);
for (let exponent = 0; exponent < 255; exponent++) {
  const octave = 2 ** (Math.max(exponent, 1) - 127);
  const ten = 8 - Math.floor(Math.log10(octave));
  tenExponents[exponent] = ten;
  scales[exponent] = Number(`1e${ten}`);
  smallerScales[exponent] = Number(`1e${ten - 1}`);
  halfGaps[exponent] = octave * 2 ** -24;
}

// Set by the digit finders: the digits as a whole number, and the power of ten that it is to be multiplied with.
let foundDigits = 0;
let foundExponent = 0;

function writeFloat32(value: number, bytes: Uint8Array, offset: number): number {
  let at = offset;
  floatView[0] = value;
  const bits = bitsView[0] ?? 0;
  const magnitude = bits & 0x7fffffff;
  if (bits !== magnitude) bytes[at++] = MINUS;
  if (magnitude === 0) {
    bytes[at++] = ZERO;
    return at;
  }
  if (magnitude >= 0x7f800000) throw new RangeError('NaN and infinity cannot be written as JSON numbers');
  findDigits(magnitude);
  return writeDecimal(bytes, at);
}

function findDigits(magnitude: number): void {
  const binaryExponent = magnitude >>> 23;
  // Subnormal numbers have fewer than 24 bits, so their midpoints are farther apart than the scaling above assumes.
  if (binaryExponent === 0) return exactDigits(magnitude);
  bitsView[0] = magnitude;
  const number = floatView[0] ?? 0;
  let scale = scales[binaryExponent] ?? 0;
  let ten = tenExponents[binaryExponent] ?? 0;
  if (number * scale >= 1e9) {
    scale = smallerScales[binaryExponent] ?? 0;
    ten--;
  }
  const halfGap = halfGaps[binaryExponent] ?? 0;
  const scaled = number * scale;
  // Below a power of two the neighbours are twice as close.
  const low = (number - ((magnitude & 0x7fffff) === 0 ? halfGap / 2 : halfGap)) * scale;
  const high = (number + halfGap) * scale;
  // Everything is below 2^30 from here on: `| 0` truncates, and tells the compiler to use integer instructions.
  const least = (low + 1) | 0;
  const most = high | 0;
  const lowRest = least - low;
  const highRest = high - most;
  if (lowRest < UNSURE || lowRest > 1 - UNSURE || highRest < UNSURE || highRest > 1 - UNSURE) {
    return exactDigits(magnitude);
  }
  let power = 1;
  let zeros = 0;
  for (let next = 10; next <= most; next = (next * 10) | 0) {
    if (((most / next) | 0) * next < least) break;
    power = next;
    zeros++;
    if (next === 1e9) break;
  }
  let digits = (scaled / power + 0.5) | 0;
  if (digits * power > most) digits--;
  else if (digits * power < least) digits++;
  foundDigits = digits;
  foundExponent = zeros - ten;
}

/** The same by trial, without any rounding error: one precision after another until the text reads back as the number. */
function exactDigits(magnitude: number): void {
  bitsView[0] = magnitude;
  const number = floatView[0] ?? 0;
  for (let precision = 1; precision <= 9; precision++) {
    const [mantissa = '', exponent = ''] = number.toExponential(precision - 1).split('e');
    const nearest = Number(mantissa.replace('.', ''));
    const ten = Number(exponent) - precision + 1;
    // Above a power of two there is more room than below: the nearest decimal may fail where the next one up does not.
    for (const digits of [nearest, nearest + 1]) {
      if (Math.fround(Number(`${digits}e${ten}`)) !== number) continue;
      foundDigits = digits;
      foundExponent = ten;
      while (foundDigits % 10 === 0) {
        foundDigits /= 10;
        foundExponent++;
      }
      return;
    }
  }
  throw new Error('unreachable: nine digits identify every float32');
}

/** Writes the found digits in the layout of ECMAScript's Number::toString. */
function writeDecimal(bytes: Uint8Array, offset: number): number {
  const count = digitCount(foundDigits);
  const point = count + foundExponent; // digits before the decimal point
  let at = offset;
  if (point <= -6 || point > 21) {
    if (count === 1) {
      bytes[at++] = ZERO + foundDigits;
    } else {
      writeDigits(foundDigits, bytes, at + 1, count);
      bytes[at] = bytes[at + 1] ?? 0;
      bytes[at + 1] = POINT;
      at += count + 1;
    }
    bytes[at++] = SMALL_E;
    bytes[at++] = point > 0 ? 43 : MINUS;
    const exponent = Math.abs(point - 1);
    const exponentDigits = digitCount(exponent);
    writeDigits(exponent, bytes, at, exponentDigits);
    return at + exponentDigits;
  }
  if (point <= 0) {
    bytes[at++] = ZERO;
    bytes[at++] = POINT;
    for (let zeros = point; zeros < 0; zeros++) bytes[at++] = ZERO;
    writeDigits(foundDigits, bytes, at, count);
    return at + count;
  }
  if (foundExponent >= 0) {
    writeDigits(foundDigits, bytes, at, count);
    at += count;
    for (let zeros = foundExponent; zeros > 0; zeros--) bytes[at++] = ZERO;
    return at;
  }
  writeDigits(foundDigits, bytes, at + 1, count);
  bytes.copyWithin(at, at + 1, at + 1 + point);
  bytes[at + point] = POINT;
  return at + count + 1;
}

function digitCount(digits: number): number {
  if (digits < 10) return 1;
  if (digits < 100) return 2;
  if (digits < 1e3) return 3;
  if (digits < 1e4) return 4;
  if (digits < 1e5) return 5;
  if (digits < 1e6) return 6;
  if (digits < 1e7) return 7;
  return digits < 1e8 ? 8 : 9;
}

function writeDigits(digits: number, bytes: Uint8Array, offset: number, count: number): void {
  let rest = digits | 0;
  let at = offset + count - 2;
  for (; at >= offset; at -= 2) {
    const next = (rest / 100) | 0;
    const pair = rest - next * 100;
    const tens = (pair * 205) >> 11; // pair / 10 for pairs below 100
    bytes[at] = ZERO + tens;
    bytes[at + 1] = ZERO + pair - tens * 10;
    rest = next;
  }
  if (at === offset - 1) bytes[offset] = ZERO + rest;
}

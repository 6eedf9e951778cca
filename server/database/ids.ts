// Identifiers that the program chooses: UUIDs of version 7, which sort by time and so stay together in an index, and such as follow
// from what they are for, so that doing a thing again finds that it was done.
import { createHash, randomBytes } from 'node:crypto';

/** A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 74 random ones. */
export function newId(nowMs = Date.now()): string {
  const random = randomBytes(10);
  random[0] = ((random[0] ?? 0) & 0x0f) | 0x70;
  random[2] = ((random[2] ?? 0) & 0x3f) | 0x80;
  return hyphenated(nowMs.toString(16).padStart(12, '0') + random.toString('hex'));
}

/** The same UUID (of version 8) for the same parts. */
export function derivedId(...parts: (string | number)[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return hyphenated(bytes.toString('hex'));
}

function hyphenated(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

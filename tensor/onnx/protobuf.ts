// The part of the protobuf wire format that ONNX files use: varints, 32-bit floats and length-prefixed fields.

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** Builds one message; fields that are repeated are written again. */
export class Message {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  integer(field: number, value: number | bigint): this {
    return this.#put(varint((field << 3) | VARINT), varint(value));
  }

  float(field: number, value: number): this {
    return this.#put(varint((field << 3) | FIXED32), new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#put(varint((field << 3) | LENGTH), varint(value.length), value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  integers(field: number, values: readonly (number | bigint)[]): this {
    for (const value of values) this.integer(field, value);
    return this;
  }

  /** Bytes that are already whole fields. */
  raw(whole: Uint8Array): this {
    return this.#put(whole);
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let position = 0;
    for (const part of this.#parts) {
      whole.set(part, position);
      position += part.length;
    }
    return whole;
  }

  #put(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this;
  }
}

/** Where a message's bytes come from: a buffer, or a file that is too large to hold. */
export interface Bytes {
  readonly length: number;
  read(start: number, length: number): Uint8Array;
}

/** One field as found: [start, end) with its tag, and for a length-prefixed one the span of its content. */
export interface Field {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  /** The number of a varint field; the length of others' content. */
  readonly value: bigint;
  readonly content: { readonly start: number; readonly end: number };
}

/** The fields of the message in [start, end) one after the other; contents are skipped, not read. */
export function* fields(source: Bytes, { start, end } = { start: 0, end: source.length }): Generator<Field> {
  let at = start;
  while (at < end) {
    const head = source.read(at, Math.min(20, end - at));
    const tag = readVarint(head, 0);
    const wire = Number(tag.value & 7n);
    let content: { start: number; end: number };
    let value: bigint;
    if (wire === VARINT) {
      const read = readVarint(head, tag.next);
      value = read.value;
      content = { start: at + tag.next, end: at + read.next };
    } else if (wire === LENGTH) {
      const read = readVarint(head, tag.next);
      value = read.value;
      content = { start: at + read.next, end: at + read.next + Number(value) };
    } else if (wire === FIXED32 || wire === FIXED64) {
      value = wire === FIXED32 ? 4n : 8n;
      content = { start: at + tag.next, end: at + tag.next + Number(value) };
    } else throw new Error(`protobuf: unknown wire type ${wire} at byte ${at}`);
    if (content.end > end) throw new Error(`protobuf: a field at byte ${at} runs past the end of its message`);
    yield { number: Number(tag.value >> 3n), start: at, end: content.end, value, content };
    at = content.end;
  }
}

export const content = (source: Bytes, field: Field): Uint8Array =>
  source.read(field.content.start, field.content.end - field.content.start);
export const text = (source: Bytes, field: Field): string => new TextDecoder().decode(content(source, field));
export const inMemory = (bytes: Uint8Array): Bytes => ({
  length: bytes.length,
  read: (start, length) => bytes.subarray(start, start + length),
});

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

function readVarint(bytes: Uint8Array, from: number): { value: bigint; next: number } {
  let value = 0n;
  for (let at = from, shift = 0n; at < bytes.length && shift < 70n; at++, shift += 7n) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return { value: BigInt.asUintN(64, value), next: at + 1 };
  }
  throw new Error('protobuf: a number is cut off');
}

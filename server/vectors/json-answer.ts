// Writes an answer that holds vectors as JSON, piece by piece, so that a thousand vectors never hold up other requests.
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { MAX_NUMBER_BYTES, writeFloat32s } from './float32-text.ts';

/** JSON values, with vectors among them. A `Base64Vector` is written as OpenAI's base64: float32, little-endian. */
export type Answer =
  | string
  | number
  | boolean
  | null
  | undefined
  | Float32Array
  | Base64Vector
  | Answer[]
  | AnswerFields;
export interface AnswerFields {
  [name: string]: Answer;
}

/** A vector that is sent as a base64 string. */
export class Base64Vector {
  readonly values: Float32Array;

  constructor(values: Float32Array) {
    this.values = values;
  }
}

/**
 * The bytes of the JSON text, in pieces of less than a millisecond of work each: whoever sends them can let others in between.
 * As in JSON.stringify, fields that are undefined are left out. Throws a RangeError at a NaN in a vector.
 */
export function* jsonPieces(answer: Answer): Generator<Buffer, void, void> {
  const writer = new PieceWriter();
  yield* writeValue(answer, writer);
  if (writer.used > 0) yield writer.take();
}

/** The JSON text as a body to send: one buffer, or a stream that lets others have a turn between any two pieces. */
export function jsonBody(answer: Answer): Buffer | Readable {
  const pieces = jsonPieces(answer);
  const first = pieces.next();
  const second = pieces.next();
  if (first.done || second.done) return first.value ?? Buffer.alloc(0);
  return Readable.from(inTurns([first.value, second.value], pieces), { objectMode: false });
}

const PIECE_BYTES = 64 * 1024;
const NUMBERS_AT_ONCE = 1024;

class PieceWriter {
  used = 0;
  private bytes = Buffer.allocUnsafe(4096);

  get full(): boolean {
    return this.used >= PIECE_BYTES;
  }

  text(text: string): void {
    this.room(text.length * 3);
    this.used += this.bytes.write(text, this.used);
  }

  numbers(values: Float32Array, from: number, to: number): void {
    this.room((to - from) * MAX_NUMBER_BYTES);
    this.used = writeFloat32s(values, { from, to }, this.bytes, this.used);
  }

  take(): Buffer {
    const piece = this.bytes.subarray(0, this.used);
    this.bytes = Buffer.allocUnsafe(PIECE_BYTES + NUMBERS_AT_ONCE * MAX_NUMBER_BYTES);
    this.used = 0;
    return piece;
  }

  private room(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.used + more));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}

async function* inTurns(begun: Buffer[], rest: Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield* begun;
  for (const piece of rest) {
    yield piece;
    await turn();
  }
}

function* writeValue(value: Answer, writer: PieceWriter): Generator<Buffer, void, void> {
  if (writer.full) yield writer.take();
  if (value instanceof Float32Array) return yield* writeVector(value, writer);
  if (value instanceof Base64Vector) return writer.text(`"${base64(value.values)}"`);
  if (Array.isArray(value)) {
    writer.text('[');
    for (const [index, item] of value.entries()) {
      if (index > 0) writer.text(',');
      yield* writeValue(item ?? null, writer);
    }
    return writer.text(']');
  }
  if (typeof value === 'object' && value !== null) {
    let separator = '{';
    for (const [name, field] of Object.entries(value)) {
      if (field === undefined) continue;
      writer.text(`${separator}${JSON.stringify(name)}:`);
      yield* writeValue(field, writer);
      separator = ',';
    }
    return writer.text(separator === '{' ? '{}' : '}');
  }
  return writer.text(JSON.stringify(value ?? null));
}

function* writeVector(vector: Float32Array, writer: PieceWriter): Generator<Buffer, void, void> {
  writer.text('[');
  for (let from = 0; from < vector.length; from += NUMBERS_AT_ONCE) {
    if (writer.full) yield writer.take();
    if (from > 0) writer.text(',');
    writer.numbers(vector, from, Math.min(from + NUMBERS_AT_ONCE, vector.length));
  }
  writer.text(']');
}

/** Node runs on little-endian machines only, so the memory of the array is already in the order that is asked for. */
function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

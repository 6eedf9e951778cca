// All objects of a storage as one stream of bytes: for each a line of JSON, {"key", "bytes"}, and then its bytes.
import { ObjectNotFound } from './keys.ts';
import type { Storage } from './types.ts';

/** One object after the other; those that are removed on the way are left out. */
export async function* pack(
  storage: Pick<Storage, 'list' | 'read'>,
  packed: (key: string, bytes: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  for await (const { key, bytes } of storage.list('')) {
    const stream = await storage.read(key).catch((error: unknown) => {
      if (error instanceof ObjectNotFound) return null;
      throw error;
    });
    if (!stream) continue;
    yield Buffer.from(`${JSON.stringify({ key, bytes })}\n`);
    let left = bytes;
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      left -= piece.length;
      yield piece;
    }
    if (left !== 0) throw new Error(`The object ${key} changed while it was read`);
    packed(key, bytes);
  }
}

/** Writes the objects of a packed stream. Throws when it ends in the middle. */
export async function unpack(
  stream: AsyncIterable<Uint8Array>,
  storage: Pick<Storage, 'write'>,
): Promise<{ objects: number; bytes: number }> {
  const source = new Source(stream);
  const all = { objects: 0, bytes: 0 };
  for (let line = await source.line(); line !== null; line = await source.line()) {
    const { key, bytes } = JSON.parse(line) as { key: string; bytes: number };
    await storage.write(key, source.take(bytes));
    all.objects++;
    all.bytes += bytes;
  }
  return all;
}

const mostLineBytes = 4096;

class Source {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** Null at the end. */
  async line(): Promise<string | null> {
    let end = this.#rest.indexOf(10);
    while (end < 0) {
      const piece = this.#rest.length > mostLineBytes ? null : await this.#next();
      if (piece === null) {
        if (this.#rest.length === 0) return null;
        throw new Error('The archive is damaged');
      }
      this.#rest = Buffer.concat([this.#rest, piece]);
      end = this.#rest.indexOf(10);
    }
    const line = Buffer.from(this.#rest.subarray(0, end)).toString();
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0;) {
      const piece = this.#rest.length > 0 ? this.#rest : await this.#next();
      if (piece === null) throw new Error('The archive is cut off');
      this.#rest = piece.subarray(left);
      const taken = piece.subarray(0, left);
      left -= taken.length;
      if (taken.length > 0) yield taken;
    }
  }

  async #next(): Promise<Uint8Array | null> {
    const { done, value } = await this.#pieces.next();
    return done === true ? null : value;
  }
}

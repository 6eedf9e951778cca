// Frames of LZ4, which Arrow's writers compress buffers with (pandas does so unless told otherwise): decoding alone.
//
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md. Checksums are passed over: Arrow's lengths and
// offsets are checked by who reads them. A block has at most the size that its frame says (4 MiB at most), so that a few bytes can't
// become gigabytes.
const magic = 0x184d2204;
const blockBytes = [0, 0, 0, 0, 2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22];
const leastMatch = 4;

/** Throws RangeError when the bytes are no frame, or are damaged. */
export function decodeLz4Frame(source: Uint8Array): Uint8Array {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== magic) throw damaged();
  const [flags = 0, sizes = 0] = bytes.subarray(4);
  const most = blockBytes[(sizes >> 4) & 7] ?? 0;
  if (flags >> 6 !== 1 || most === 0 || (flags & 1) !== 0) throw damaged();
  const independent = (flags & 0x20) !== 0;
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0;
  let at = (flags & 0x08) !== 0 ? 15 : 7;
  const out = new Output();
  for (;;) {
    const header = bytes.readUInt32LE(at);
    at += 4;
    if (header === 0) return out.whole();
    const length = header & 0x7fffffff;
    const block = bytes.subarray(at, at + length);
    if (length > most || block.length < length) throw damaged();
    out.begin(most, independent);
    if (header >>> 31 === 1) out.literals(block);
    else decodeBlock(block, out);
    at += length + blockChecksum;
  }
}

/** Sequences: some bytes as they are, then a match, which is bytes that came before. The last has no match. */
function decodeBlock(block: Uint8Array, out: Output): void {
  let at = 0;
  const byte = (): number => block[at++] ?? fail();
  const lengthFrom = (start: number): number => {
    let length = start;
    if (start !== 15) return length;
    for (let more = 255; more === 255;) length += more = byte();
    return length;
  };
  while (at < block.length) {
    const token = byte();
    const literals = lengthFrom(token >> 4);
    if (at + literals > block.length) fail();
    out.literals(block.subarray(at, at + literals));
    at += literals;
    if (at === block.length) return;
    const offset = byte() | (byte() << 8);
    out.match(offset, lengthFrom(token & 15) + leastMatch);
  }
}

class Output {
  #bytes = Buffer.alloc(2 ** 16);
  #length = 0;
  /** No block may be longer, and no match reach further back. */
  #end = 0;
  #start = 0;

  begin(most: number, independent: boolean): void {
    this.#end = this.#length + most;
    if (independent) this.#start = this.#length;
  }

  literals(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  match(offset: number, length: number): void {
    const from = this.#length - offset;
    if (offset === 0 || from < this.#start) fail();
    this.#grow(length);
    if (offset >= length) this.#bytes.copyWithin(this.#length, from, from + length);
    // What is copied may be what this copy has just written.
    else for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = this.#bytes[from + i] ?? 0;
    this.#length += length;
  }

  whole(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): void {
    const needed = this.#length + by;
    if (needed > this.#end) fail();
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function fail(): never {
  throw damaged();
}

const damaged = (): RangeError => new RangeError('damaged LZ4 data');

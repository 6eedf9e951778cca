// Reads what a GGUF file says of itself: metadata, and the place of every tensor. The values stay on disk.
//
// The format (version 2 and 3, little endian): "GGUF", version, counts of tensors and of metadata; the metadata as key,
// type and value; a name, shape (innermost first), type and offset for each tensor; then the values, aligned.
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { GGML_TYPES } from './ggml.ts';
import type { StoredTensor } from './safetensors.ts';

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface Gguf {
  /** The path as given: what errors name. */
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By name; shapes are outermost first, `file` is the file's name without its folder. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Throws an error that names the file, and the tensor or key where there is one, when the file is no GGUF, is cut off or
 *  contradicts itself. */
export async function readGguf(path: string): Promise<Gguf> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const reader = new Reader(handle, { path, size });
    if ((await reader.text(4)) !== 'GGUF') throw new Error(`${path} is no GGUF file`);
    const version = await reader.u32();
    if (version !== 2 && version !== 3)
      throw new Error(`${path}: GGUF version ${version} is not supported (2 and 3 are)`);
    const tensorCount = await reader.count('tensors', LEAST_TENSOR_BYTES);
    const metadataCount = await reader.count('metadata', LEAST_METADATA_BYTES);
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < metadataCount; i++) {
      const key = await reader.string('a key of the metadata');
      metadata.set(key, await reader.value(key, await reader.u32()));
    }
    const infos: TensorInfo[] = [];
    for (let i = 0; i < tensorCount; i++) infos.push(await reader.tensorInfo());
    const alignment = metadata.get('general.alignment') ?? 32;
    if (typeof alignment !== 'number' || alignment < 1)
      throw new Error(`${path}: general.alignment ${String(alignment)} is no alignment`);
    const start = Math.ceil(reader.position / alignment) * alignment;
    const file = basename(path);
    return {
      path,
      metadata,
      tensors: new Map(infos.map(info => [info.name, placed(info, { path, file, start, size })])),
    };
  } finally {
    await handle.close();
  }
}

interface TensorInfo {
  name: string;
  shape: number[];
  type: number;
  offset: number;
}

function placed(
  { name, shape, type, offset }: TensorInfo,
  { path, file, start, size }: { path: string; file: string; start: number; size: number },
): StoredTensor {
  const layout = GGML_TYPES.get(type);
  if (!layout) throw new Error(`${path}: tensor ${name} has the ggml type ${type}, which is not supported`);
  const columns = shape.at(-1) ?? 1;
  if (columns % layout.block !== 0)
    throw new Error(`${path}: tensor ${name} has rows of ${columns} values, which are no blocks of ${layout.block}`);
  const bytes = (shape.reduce((a, b) => a * b, 1) / layout.block) * layout.bytes;
  const end = start + offset + bytes;
  if (!(end <= size)) throw new Error(`${path} is cut off: tensor ${name} ends at byte ${end} of ${size}`);
  return { name, type: layout.name, shape, file, offset: start + offset, bytes };
}

/** Goes through the file from its beginning in large pieces. */
class Reader {
  position = 0;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #size: number;
  #piece = Buffer.alloc(0);
  #pieceStart = 0;

  constructor(handle: FileHandle, { path, size }: { path: string; size: number }) {
    this.#handle = handle;
    this.#path = path;
    this.#size = size;
  }

  async #take(bytes: number, what: string): Promise<Buffer> {
    if (bytes > this.#size - this.position) throw new Error(`${this.#path} is cut off within ${what}`);
    let from = this.position - this.#pieceStart;
    if (from + bytes > this.#piece.length) {
      const length = Math.min(Math.max(bytes, PIECE_BYTES), this.#size - this.position);
      const piece = Buffer.alloc(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await this.#handle.read(piece, done, length - done, this.position + done);
        if (bytesRead === 0) throw new Error(`${this.#path} became shorter while it was read`);
        done += bytesRead;
      }
      this.#piece = piece;
      this.#pieceStart = this.position;
      from = 0;
    }
    this.position += bytes;
    return this.#piece.subarray(from, from + bytes);
  }

  text = async (bytes: number, what = 'the header'): Promise<string> =>
    (await this.#take(bytes, what)).toString('utf8');
  u32 = async (what = 'the header'): Promise<number> => (await this.#take(4, what)).readUInt32LE();
  u64 = async (what = 'the header'): Promise<bigint> => (await this.#take(8, what)).readBigUInt64LE();

  /** A number of things that take at least `bytes` each, so that a broken count ends here and not in memory. */
  async count(what: string, bytes: number): Promise<number> {
    const count = await this.u64(what);
    if (count > BigInt(Math.floor((this.#size - this.position) / bytes)))
      throw new Error(`${this.#path}: ${count} ${what} don't fit into the file`);
    return Number(count);
  }

  async string(what: string): Promise<string> {
    return this.text(await this.count(`bytes of ${what}`, 1), what);
  }

  async value(key: string, type: number): Promise<GgufValue> {
    if (type === STRING) return this.string(key);
    if (type === ARRAY) {
      const element = await this.u32(key);
      if (element === ARRAY) throw new Error(`${this.#path}: ${key} is a list of lists`);
      const length = await this.count(
        `elements of ${key}`,
        element === STRING ? 8 : (SCALARS.get(element)?.bytes ?? 1),
      );
      const list: GgufValue[] = [];
      for (let i = 0; i < length; i++) list.push(await this.value(key, element));
      return list;
    }
    const scalar = SCALARS.get(type);
    if (!scalar) throw new Error(`${this.#path}: ${key} has the unknown type ${type}`);
    return scalar.read(await this.#take(scalar.bytes, key));
  }

  async tensorInfo(): Promise<TensorInfo> {
    const name = await this.string('the name of a tensor');
    const rank = await this.u32(name);
    if (rank > 4) throw new Error(`${this.#path}: tensor ${name} has ${rank} dimensions`);
    const shape: number[] = [];
    for (let i = 0; i < rank; i++) shape.unshift(Number(await this.u64(name)));
    return { name, shape, type: await this.u32(name), offset: Number(await this.u64(name)) };
  }
}

const PIECE_BYTES = 1 << 20;
/** Length and one byte of a name, rank, type, offset. */
const LEAST_TENSOR_BYTES = 24;
/** Length of a key, type, one byte. */
const LEAST_METADATA_BYTES = 13;
const STRING = 8;
const ARRAY = 9;
const SCALARS: ReadonlyMap<number, { bytes: number; read: (b: Buffer) => number | bigint | boolean }> = new Map([
  [0, { bytes: 1, read: (b: Buffer) => b.readUInt8() }],
  [1, { bytes: 1, read: (b: Buffer) => b.readInt8() }],
  [2, { bytes: 2, read: (b: Buffer) => b.readUInt16LE() }],
  [3, { bytes: 2, read: (b: Buffer) => b.readInt16LE() }],
  [4, { bytes: 4, read: (b: Buffer) => b.readUInt32LE() }],
  [5, { bytes: 4, read: (b: Buffer) => b.readInt32LE() }],
  [6, { bytes: 4, read: (b: Buffer) => b.readFloatLE() }],
  [7, { bytes: 1, read: (b: Buffer) => b.readUInt8() !== 0 }],
  [10, { bytes: 8, read: (b: Buffer) => b.readBigUInt64LE() }],
  [11, { bytes: 8, read: (b: Buffer) => b.readBigInt64LE() }],
  [12, { bytes: 8, read: (b: Buffer) => b.readDoubleLE() }],
]);

// A decoder's weights in one file of our own: as f32 or in blocks, with the matrices that a graph reads together one
// behind the other. First an architecture asks for what it needs, which plans the file; then the file is written.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type BlockQuantized, parameter, type RowQuantized, type Tensor } from '@vectorium/tensor';
import { BLOCK, rowBytes, roundRow, unpackRow } from '../weights/blocks.ts';
import { roundTo8, transposed } from '../weights/rows.ts';
import type { StoredTensor } from '../weights/safetensors.ts';
import { type DecoderSource, readValues, rowsInOrder } from './source.ts';

/** How matrices are kept. In 4 bits the table of embeddings and the output matrix have 8, as in GGUF files of 4 bits. */
export type Precision = 'f32' | 'q8' | 'q4';

/** How matrices of few bits lie: in blocks, as inference reads them; or each row rounded on from there to whole numbers of 8
 *  bits with one scale, in both orders, as training does. */
export type Form = 'blocks' | 'rows';

/** One matrix [rows, columns], or several with their rows one behind the other. */
export type Matrix = Tensor | BlockQuantized | RowQuantized;

/** A stored matrix of `rows` rows, which are wanted in another order if `order` says which one comes where. */
export interface Part {
  readonly name: string;
  readonly rows: number;
  readonly order?: Int32Array;
}

/** What an architecture asks for. */
export type Weights = Pick<DecoderWeights, 'has' | 'vector' | 'matrix' | 'table'>;

interface Piece {
  readonly parts: readonly Part[];
  readonly columns: number;
  readonly bits: 4 | 8 | 32;
  readonly form: Form;
  readonly offset: number;
}

export class DecoderWeights {
  readonly source: DecoderSource;
  readonly precision: Precision;
  readonly #form: Form;
  readonly file: string;
  readonly #pieces: Piece[] = [];
  readonly #known = new Map<string, Matrix>();
  #bytes = 0;

  /** `version` tells the content of the weights apart from what lay there before, for the name of the file, unless it has one. */
  constructor(
    source: DecoderSource,
    {
      precision,
      version,
      form = 'blocks',
      file,
    }: { precision: Precision; version: string; form?: Form; file?: string },
  ) {
    this.source = source;
    this.precision = precision;
    this.#form = precision === 'f32' ? 'blocks' : form;
    const layout = [...source.tensors.values()].map(tensor => Object.values(tensor).join()).join('\n');
    const hash = createHash('sha256').update(LAYOUT).update(version).update(layout).digest('hex').slice(0, 16);
    this.file = file ?? `decoder-${precision}${this.#form === 'rows' ? '-rows' : ''}-${hash}.bin`;
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  has(name: string): boolean {
    return this.source.tensors.has(name);
  }

  /** Parts of vectors one behind the other, always f32. */
  vector(...parts: readonly Part[]): Tensor {
    const length = parts.reduce((sum, { rows }) => sum + rows, 0);
    return this.#f32(parts, { columns: 1, shape: [length] });
  }

  /** A matrix for products. */
  matrix(parts: readonly Part[], columns: number, bits: 4 | 8 | 32 = BITS[this.precision]): Matrix {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (bits === 32) return this.#f32(parts, { columns, shape: [rows, columns] });
    if (columns % BLOCK !== 0)
      throw new Error(`${labelOf(parts)} has rows of ${columns} values, which are no blocks of ${BLOCK}: use f32`);
    return this.#form === 'rows'
      ? this.#rows(parts, { rows, columns, bits })
      : this.#blocks(parts, { rows, columns, bits });
  }

  /** The table of embeddings or the output matrix. */
  table(name: string, [rows, columns]: readonly [number, number]): Matrix {
    return this.matrix([{ name, rows }], columns, this.precision === 'f32' ? 32 : 8);
  }

  #f32(parts: readonly Part[], { columns, shape }: { columns: number; shape: readonly number[] }): Tensor {
    const known = this.#known.get(labelOf(parts));
    if (known && 'op' in known) return known;
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    const offset = this.#plan(parts, { columns, bits: 32, form: 'blocks', bytes });
    const made = parameter(labelOf(parts), shape, { data: { file: this.file, offset, bytes } });
    this.#known.set(labelOf(parts), made);
    return made;
  }

  #blocks(
    parts: readonly Part[],
    { rows, columns, bits }: { rows: number; columns: number; bits: 4 | 8 },
  ): BlockQuantized {
    const label = labelOf(parts);
    const known = this.#known.get(label);
    if (known && 'blockSize' in known) return known;
    const blocks = columns / BLOCK;
    const size = rowBytes(columns, bits);
    const bytes = rows * (size.values + size.scales + size.zeros);
    const offset = this.#plan(parts, { columns, bits, form: 'blocks', bytes });
    const place = (of: string, start: number, [shape, dtype, length]: readonly [number[], 'u8' | 'f32', number]) =>
      parameter(`${label}.${of}`, shape, { dtype, data: { file: this.file, offset: offset + start, bytes: length } });
    const values = place('values', 0, [[rows, blocks, (BLOCK * bits) / 8], 'u8', rows * size.values]);
    const scales = place('scales', rows * size.values, [[rows, blocks], 'f32', rows * size.scales]);
    const zeroStart = rows * (size.values + size.scales);
    const zeros = bits === 4 ? place('zeros', zeroStart, [[rows, size.zeros], 'u8', rows * size.zeros]) : undefined;
    const made = { values, scales, ...(zeros && { zeros }), bits, blockSize: BLOCK };
    this.#known.set(label, made);
    return made;
  }

  #rows(parts: readonly Part[], { rows, columns, bits }: { rows: number; columns: number; bits: 4 | 8 }): RowQuantized {
    const label = labelOf(parts);
    const known = this.#known.get(label);
    if (known && 'transposed' in known) return known;
    const [each, scaleBytes] = [rows * columns, 4 * rows];
    const offset = this.#plan(parts, { columns, bits, form: 'rows', bytes: 2 * each + scaleBytes });
    const place = (of: string, start: number, [shape, dtype, length]: readonly [number[], 'i8' | 'f32', number]) =>
      parameter(`${label}.${of}`, shape, { dtype, data: { file: this.file, offset: offset + start, bytes: length } });
    const made = {
      transposed: place('transposed', 0, [[rows, columns], 'i8', each]),
      values: place('values', each, [[columns, rows], 'i8', each]),
      scales: place('scales', 2 * each, [[rows], 'f32', scaleBytes]),
    };
    this.#known.set(label, made);
    return made;
  }

  #plan(parts: readonly Part[], { bytes, ...piece }: Omit<Piece, 'parts' | 'offset'> & { bytes: number }): number {
    for (const { name, rows } of parts) {
      const stored = this.#stored(name);
      const wanted = piece.columns === 1 ? [rows] : [rows, piece.columns];
      if (stored.shape.join() !== wanted.join())
        throw new Error(
          `${stored.file}: tensor ${stored.name} is [${stored.shape.join(', ')}], the configuration wants [${wanted.join(', ')}]`,
        );
    }
    const offset = this.#bytes;
    this.#pieces.push({ parts, ...piece, offset });
    this.#bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return offset;
  }

  #stored(name: string): StoredTensor {
    const stored = this.source.tensors.get(name);
    if (!stored) throw new Error(`the weights have no tensor ${name}`);
    return stored;
  }

  /** Writes what was asked for into `path`. Memory stays at one matrix, whatever the size of the weights. */
  async write(path: string): Promise<void> {
    const target = await open(path, 'w');
    try {
      await target.truncate(this.#bytes);
      for (const piece of this.#pieces) await this.#writePiece(target, piece);
      await target.sync();
    } finally {
      await target.close();
    }
  }

  async #writePiece(target: FileHandle, piece: Piece): Promise<void> {
    if (piece.form === 'rows') return this.#writeRows(target, piece);
    const { parts, columns, bits, offset } = piece;
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    let done = 0;
    for (const part of parts) {
      const matrix = await this.#rowsOf(part, columns);
      if (bits === 32) await writeAll(target, asBytes(matrix), offset + 4 * done * columns);
      else {
        const size = rowBytes(columns, bits);
        const [values, zeros] = [new Uint8Array(part.rows * size.values), new Uint8Array(part.rows * size.zeros)];
        const scales = new Float32Array((part.rows * size.scales) / 4);
        for (let row = 0; row < part.rows; row++)
          roundRow(matrix.subarray(row * columns, (row + 1) * columns), bits, {
            values: values.subarray(row * size.values, (row + 1) * size.values),
            scales: scales.subarray((row * size.scales) / 4, ((row + 1) * size.scales) / 4),
            zeros: zeros.subarray(row * size.zeros, (row + 1) * size.zeros),
          });
        await writeAll(target, values, offset + done * size.values);
        await writeAll(target, asBytes(scales), offset + rows * size.values + done * size.scales);
        await writeAll(target, zeros, offset + rows * (size.values + size.scales) + done * size.zeros);
      }
      done += part.rows;
    }
  }

  async #writeRows(target: FileHandle, { parts, columns, bits, offset }: Piece): Promise<void> {
    if (bits === 32) throw new Error('f32 is not rounded');
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const size = rowBytes(columns, bits);
    const blocks = {
      values: new Uint8Array(size.values),
      zeros: new Uint8Array(size.zeros),
      scales: new Float32Array(size.scales / 4),
    };
    const [whole, scales] = [new Int8Array(rows * columns), new Float32Array(rows)];
    let row = 0;
    for (const part of parts) {
      const matrix = await this.#rowsOf(part, columns);
      for (let start = 0; start < matrix.length; start += columns, row++) {
        const values = matrix.subarray(start, start + columns);
        roundRow(values, bits, blocks);
        unpackRow(blocks, bits, values);
        scales[row] = roundTo8(values, whole.subarray(row * columns, (row + 1) * columns));
      }
    }
    await writeAll(target, asBytes(whole), offset);
    await writeAll(target, asBytes(transposed(whole, columns)), offset + whole.length);
    await writeAll(target, asBytes(scales), offset + 2 * whole.length);
  }

  /** The part's rows as f32, in the order that is wanted. */
  async #rowsOf({ name, rows, order }: Part, columns: number): Promise<Float32Array> {
    const values = await readValues(this.source.folder, this.#stored(name));
    const heads = this.source.reorderedHeads(name);
    const published = heads > 0 ? rowsInOrder(rows, heads) : null;
    if (!published && !order) return values;
    const ordered = new Float32Array(values.length);
    for (let row = 0; row < rows; row++) {
      const wanted = order?.[row] ?? row;
      const from = published?.[wanted] ?? wanted;
      ordered.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
    }
    return ordered;
  }
}

const labelOf = (parts: readonly Part[]): string =>
  parts.map(({ name, order }) => (order ? `${name}*` : name)).join('+');
const asBytes = (values: Float32Array | Int8Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

async function writeAll(target: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;)
    done += (await target.write(bytes, done, Math.min(bytes.length - done, 1 << 30), offset + done)).bytesWritten;
}

const BITS = { f32: 32, q8: 8, q4: 4 } as const;
const ALIGNMENT = 64;
/** Changes when the layout of the file does. */
const LAYOUT = '1';

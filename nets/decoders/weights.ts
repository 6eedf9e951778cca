// A decoder's weights in one file of our own: as f32 or in blocks, with the matrices that a graph reads together one
// behind the other. First an architecture asks for what it needs, which plans the file; then the file is written.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import {
  type BlockQuantized,
  constant,
  parameter,
  type OneWayRowQuantized,
  type RowQuantized,
  type Tensor,
} from '@vectorium/tensor';
import { BLOCK, rowBytes, roundRow, unpackRow } from '../weights/blocks.ts';
import { roundTo8, transposed } from '../weights/rows.ts';
import type { StoredTensor } from '../weights/safetensors.ts';
import { ResidualRotation } from './residual-rotation.ts';
import { type DecoderSource, readValues, rowsInOrder } from './source.ts';

/** How matrices are kept. In 4 bits the table of embeddings and the output matrix have 8, as in GGUF files of 4 bits. */
export type Precision = 'f32' | 'q8' | 'q4';

/** How matrices of few bits lie: in blocks, as inference reads them; or each row rounded on from there to whole numbers of 8
 *  bits with one scale, in both orders, as training does. */
export type Form = 'blocks' | 'rows';

/** One matrix [rows, columns], or several with their rows one behind the other. */
export type Matrix = Tensor | BlockQuantized | RowQuantized | RowBlocks | UnitQuantized;

/** Rows of a table that products of training take at once. */
export const VOCABULARY_BLOCK = 4096;

/** A matrix of very many rows, of which products take some at a time; `transposed` [rows, columns] and `scales` have those of all
 *  blocks one behind the other. */
export interface RowBlocks {
  transposed: Tensor;
  scales: Tensor;
  blocks: RowQuantized[];
}

/** What it is multiplied with is rounded to multiples of the unit. */
export interface UnitQuantized extends OneWayRowQuantized {
  unit: number;
}

/** A stored matrix of `rows` rows. */
export interface Part {
  readonly name: string;
  readonly rows: number;
  /** Its columns are hidden states, behind the norm of this name, or as they are. */
  readonly reads?: string | null;
  /** What its rows give is added to the hidden states. */
  readonly adds?: true;
  /** It is the scale of a norm. */
  readonly scales?: true;
}

/** What an architecture asks for. */
export type Weights = Pick<DecoderWeights, 'has' | 'vector' | 'matrix' | 'table'>;

/** How a matrix lies in the file: in one of these forms, or in columns, as whole numbers in the order of products alone. */
interface Kind {
  readonly columns: number;
  readonly bits: 4 | 8 | 32;
  readonly form: Form | 'columns';
}

interface Piece extends Kind {
  readonly parts: readonly Part[];
  readonly offset: number;
  /** Rows of which the columns lie together; all, if it isn't said. */
  readonly blockRows?: number;
}

interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** What all forms of the weights have in one file. */
interface Plan {
  readonly pieces: Piece[];
  readonly known: Map<string, Matrix>;
  bytes: number;
}

type Stored = 'u8' | 'i8' | 'f32';

export interface WeightOptions {
  precision: Precision;
  /** Tells the content of the weights apart from what lay there before, for the name of the file. */
  version: string;
  form?: Form;
  /** Hidden states are in the basis of `ResidualRotation`, the scales of norms are in the matrices behind them, and these are
   *  whole numbers whatever the form of the others. Such weights only answer. */
  rotated?: boolean;
  /** Its name, if it is not made of the version. */
  file?: string;
}

export class DecoderWeights {
  readonly source: DecoderSource;
  readonly precision: Precision;
  readonly #options: WeightOptions;
  readonly #form: Form;
  /** The basis of the hidden states, if it is not the published one. */
  readonly #rotation: ResidualRotation | null;
  readonly file: string;
  /** Bytes of the file that were asked for in this form, by name. */
  readonly #asked = new Map<string, number>();
  readonly #plan: Plan;

  constructor(source: DecoderSource, options: WeightOptions, plan: Plan = { pieces: [], known: new Map(), bytes: 0 }) {
    const { precision, version, form = 'blocks', rotated = false, file } = options;
    this.source = source;
    this.precision = precision;
    this.#options = options;
    this.#form = precision === 'f32' ? 'blocks' : form;
    this.#rotation = rotated ? new ResidualRotation(source.config.hidden) : null;
    this.#plan = plan;
    const layout = [...source.tensors.values()].map(tensor => Object.values(tensor).join()).join('\n');
    const hash = createHash('sha256').update(LAYOUT).update(version).update(layout).digest('hex').slice(0, 16);
    this.file = file ?? `decoder-${precision}${this.#form === 'rows' ? '-rows' : ''}-${hash}.bin`;
  }

  /** The same weights in another form, in the same file. */
  inForm(form: Form): DecoderWeights {
    return new DecoderWeights(this.source, { ...this.#options, form, file: this.file }, this.#plan);
  }

  /** Bytes of what a graph holds that asked for weights in this form: of two orders one. */
  get bytes(): number {
    return [...this.#asked.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  has(name: string): boolean {
    return this.source.tensors.has(name);
  }

  /** Parts of vectors one behind the other, always f32. */
  vector(...parts: readonly Part[]): Tensor {
    const length = parts.reduce((sum, { rows }) => sum + rows, 0);
    if (this.#rotation && parts.some(({ scales }) => scales))
      return constant(new Float32Array(length).fill(1), [length]);
    return this.#f32(parts, { columns: 1, shape: [length] });
  }

  /** A matrix for products. */
  matrix(parts: readonly Part[], columns: number, bits: 4 | 8 | 32 = BITS[this.precision]): Matrix {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (bits === 32) return this.#f32(parts, { columns, shape: [rows, columns] });
    if (this.#rotation && parts.every(({ reads }) => reads)) return this.#columns(parts, { rows, columns });
    if (columns % BLOCK !== 0)
      throw new Error(`${labelOf(parts)} has rows of ${columns} values, which are no blocks of ${BLOCK}: use f32`);
    return this.#form === 'rows'
      ? this.#rows(parts, { rows, columns, bits })
      : this.#blocks(parts, { rows, columns, bits });
  }

  /** The table of embeddings, or the output matrix, which reads what the norm `reads` gives. */
  table(name: string, [rows, columns]: readonly [number, number], reads: string | null): Matrix {
    const parts = [{ name, rows, reads }];
    if (this.precision === 'f32') return this.matrix(parts, columns);
    // Lookups in blocks are as quick as in rows.
    if (this.#rotation && reads === null) return this.#blocks(parts, { rows, columns, bits: 8 });
    if (this.#rotation || this.#form === 'blocks') return this.matrix(parts, columns, 8);
    return this.#rowBlocks(parts, { rows, columns });
  }

  #f32(parts: readonly Part[], { columns, shape }: { columns: number; shape: readonly number[] }): Tensor {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    const piece: Kind = { columns, bits: 32, form: 'blocks' };
    return this.#once(parts, { piece, bytes }, place => place('', 0, ['f32', [...shape]]));
  }

  #blocks(parts: readonly Part[], { rows, columns, bits }: Size & { bits: 4 | 8 }): BlockQuantized {
    const blocks = columns / BLOCK;
    const size = rowBytes(columns, bits);
    const bytes = rows * (size.values + size.scales + size.zeros);
    const zeroStart = rows * (size.values + size.scales);
    return this.#once(parts, { piece: { columns, bits, form: 'blocks' }, bytes }, place => ({
      values: place('.values', 0, ['u8', [rows, blocks, (BLOCK * bits) / 8]]),
      scales: place('.scales', rows * size.values, ['f32', [rows, blocks]]),
      ...(bits === 4 && { zeros: place('.zeros', zeroStart, ['u8', [rows, size.zeros]]) }),
      bits,
      blockSize: BLOCK,
    }));
  }

  #rows(parts: readonly Part[], { rows, columns, bits }: Size & { bits: 4 | 8 }): RowQuantized {
    const [each, scales] = [rows * columns, 4 * rows];
    const bytes = 2 * each + scales;
    return this.#once(parts, { piece: { columns, bits, form: 'rows' }, bytes, held: each + scales }, place => ({
      transposed: place('.transposed', 0, ['i8', [rows, columns]]),
      values: place('.values', each, ['i8', [columns, rows]]),
      scales: place('.scales', 2 * each, ['f32', [rows]]),
    }));
  }

  #rowBlocks(parts: readonly Part[], { rows, columns }: Size): RowBlocks {
    const [each, scales] = [rows * columns, 4 * rows];
    const piece = { columns, bits: 8, form: 'rows', blockRows: VOCABULARY_BLOCK } as const;
    return this.#once(parts, { piece, bytes: 2 * each + scales, held: each + scales }, place => ({
      transposed: place('.transposed', 0, ['i8', [rows, columns]]),
      scales: place('.scales', 2 * each, ['f32', [rows]]),
      blocks: Array.from({ length: Math.ceil(rows / VOCABULARY_BLOCK) }, (_, i) => {
        const start = i * VOCABULARY_BLOCK;
        const length = Math.min(VOCABULARY_BLOCK, rows - start);
        return {
          transposed: place(`.transposed.${i}`, start * columns, ['i8', [length, columns]]),
          values: place(`.values.${i}`, each + start * columns, ['i8', [columns, length]]),
          scales: place(`.scales.${i}`, 2 * each + 4 * start, ['f32', [length]]),
        };
      }),
    }));
  }

  #columns(parts: readonly Part[], { rows, columns }: Size): UnitQuantized {
    const each = rows * columns;
    return this.#once(parts, { piece: { columns, bits: 8, form: 'columns' }, bytes: each + 4 * rows }, place => ({
      values: place('.values', 0, ['i8', [columns, rows]]),
      scales: place('.scales', each, ['f32', [rows]]),
      unit: ROTATED_UNIT,
    }));
  }

  /** What was asked for before is in the file once. */
  #once<M extends Matrix>(
    parts: readonly Part[],
    { piece, bytes, held = bytes }: { piece: Omit<Piece, 'parts' | 'offset'>; bytes: number; held?: number },
    make: (place: (of: string, start: number, how: [Stored, number[]]) => Tensor) => M,
  ): M {
    const reads = this.#rotation && parts[0]?.reads;
    // The table of embeddings and the output matrix may be the same one, which reads a norm in one of the two.
    const label = reads ? `${labelOf(parts)} behind ${reads}` : labelOf(parts);
    const key = `${label} ${piece.form} ${piece.bits}`;
    this.#asked.set(key, held);
    const known = this.#plan.known.get(key);
    // A name, a form and a width make one kind of matrix.
    if (known) return known as M;
    const offset = this.#planned(parts, piece, bytes);
    const made = make((of, start, [dtype, shape]) => {
      const length = (dtype === 'f32' ? 4 : 1) * shape.reduce((a, b) => a * b, 1);
      return parameter(`${label}${of}`, shape, {
        dtype,
        data: { file: this.file, offset: offset + start, bytes: length },
      });
    });
    this.#plan.known.set(key, made);
    return made;
  }

  #planned(parts: readonly Part[], piece: Omit<Piece, 'parts' | 'offset'>, bytes: number): number {
    for (const { name, rows } of parts) {
      const stored = this.#stored(name);
      const wanted = piece.columns === 1 ? [rows] : [rows, piece.columns];
      if (stored.shape.join() !== wanted.join())
        throw new Error(
          `${stored.file}: tensor ${stored.name} is [${stored.shape.join(', ')}], the configuration wants [${wanted.join(', ')}]`,
        );
    }
    const offset = this.#plan.bytes;
    this.#plan.pieces.push({ parts, ...piece, offset });
    this.#plan.bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
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
      await target.truncate(this.#plan.bytes);
      for (const piece of this.#plan.pieces) await this.#writePiece(target, piece);
      await target.sync();
    } finally {
      await target.close();
    }
  }

  async #writePiece(target: FileHandle, piece: Piece): Promise<void> {
    if (piece.form === 'rows') return this.#writeRows(target, piece);
    if (piece.form === 'columns') return this.#writeColumns(target, piece);
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

  async #writeRows(target: FileHandle, { parts, columns, bits, offset, ...piece }: Piece): Promise<void> {
    if (bits === 32) throw new Error('f32 is not rounded');
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const blockRows = piece.blockRows ?? rows;
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
    for (let start = 0; start < whole.length; start += blockRows * columns) {
      const block = whole.subarray(start, start + blockRows * columns);
      await writeAll(target, asBytes(transposed(block, columns)), offset + whole.length + start);
    }
    await writeAll(target, asBytes(scales), offset + 2 * whole.length);
  }

  async #writeColumns(target: FileHandle, { parts, columns, offset }: Piece): Promise<void> {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const [whole, scales] = [new Int8Array(rows * columns), new Float32Array(rows)];
    let row = 0;
    for (const part of parts) {
      const matrix = await this.#rowsOf(part, columns);
      for (let start = 0; start < matrix.length; start += columns, row++) {
        const to = whole.subarray(row * columns, (row + 1) * columns);
        scales[row] = roundTo8(matrix.subarray(start, start + columns), to, ROTATED_MOST);
      }
    }
    await writeAll(target, asBytes(transposed(whole, columns)), offset);
    await writeAll(target, asBytes(scales), offset + whole.length);
  }

  /** The part's rows as f32, in the basis that is wanted. */
  async #rowsOf(part: Part, columns: number): Promise<Float32Array> {
    const matrix = await this.#published(part, columns);
    if (!this.#rotation) return matrix;
    if (part.adds) this.#rotation.columns(matrix);
    // A bias reads nothing.
    if (columns === 1) return matrix;
    if (part.reads) {
      const scale = await readValues(this.source.folder, this.#stored(`${part.reads}.weight`));
      for (let i = 0; i < matrix.length; i++) matrix[i] = (matrix[i] ?? 0) * (scale[i % columns] ?? 0);
    }
    if (part.reads !== undefined) this.#rotation.rows(matrix);
    return matrix;
  }

  /** In the order of rows in which it was published. */
  async #published({ name, rows }: Part, columns: number): Promise<Float32Array> {
    const values = await readValues(this.source.folder, this.#stored(name));
    const heads = this.source.reorderedHeads(name);
    if (heads === 0) return values;
    const ordered = new Float32Array(values.length);
    for (const [row, from] of rowsInOrder(rows, heads).entries())
      ordered.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
    return ordered;
  }
}

const labelOf = (parts: readonly Part[]): string => parts.map(({ name }) => name).join('+');
const asBytes = (values: Float32Array | Int8Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

async function writeAll(target: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;)
    done += (await target.write(bytes, done, Math.min(bytes.length - done, 1 << 30), offset + done)).bytesWritten;
}

/** What a norm without a scale gives is about as long in each direction of the rotated basis as in any other: numbers near 1, of
 *  which one in 16,000 is beyond 4 and cut off there. */
const ROTATED_UNIT = 1 / 32;
/** Less than 8 bits: processors without VNNI add two products in 16 bits, beyond which then go one in ten million. */
const ROTATED_MOST = 96;

const BITS = { f32: 32, q8: 8, q4: 4 } as const;
const ALIGNMENT = 64;
/** Changes when the layout of the file does. */
const LAYOUT = '4';

// Weights as the graphs of training take them: inputs of each run, under names without the layer's, so that one graph serves all.
import { concat, type DataType, type External, input, type RowQuantized, type Tensor } from '@vectorium/tensor';
import type { DecoderWeights, Matrix, Part, Weights } from './weights.ts';

/** A frozen weight: where its bytes lie, and as what they go in. */
export interface Frozen {
  place: External;
  shape: readonly number[];
  dtype: DataType;
}

/** Weights of a file as inputs, under names without the layer's. */
export class FrozenInputs implements Weights {
  readonly asked: Record<string, Frozen> = {};
  readonly #base: DecoderWeights;
  readonly #layer: string;
  readonly #known = new Map<Tensor, Tensor>();

  constructor(base: DecoderWeights, layer: number) {
    this.#base = base;
    this.#layer = `layers.${layer}.`;
  }

  has(name: string): boolean {
    return this.#base.has(this.#own(name));
  }

  vector(...parts: readonly Part[]): Tensor {
    return this.#input(this.#base.vector(...this.#ownParts(parts)));
  }

  matrix(parts: readonly Part[], columns: number): Matrix {
    return this.#inputs(this.#base.matrix(this.#ownParts(parts), columns));
  }

  table(name: string, shape: readonly [number, number], reads: string | null): Matrix {
    return this.#inputs(this.#base.table(name, shape, reads));
  }

  #own(name: string): string {
    return name.replace('layers.0.', this.#layer);
  }

  #ownParts(parts: readonly Part[]): Part[] {
    return parts.map(part => ({ ...part, name: this.#own(part.name) }));
  }

  #inputs(matrix: Matrix): Matrix {
    if ('op' in matrix) return this.#input(matrix);
    if ('blocks' in matrix) {
      const { transposed, scales, blocks } = matrix;
      return {
        transposed: this.#input(transposed),
        scales: this.#input(scales),
        blocks: blocks.map(block => this.#rows(block)),
      };
    }
    if ('transposed' in matrix) return this.#rows(matrix);
    if ('unit' in matrix) throw new Error('training takes weights that go both ways');
    const { values, scales, zeros, ...how } = matrix;
    return {
      ...how,
      values: this.#input(values),
      scales: this.#input(scales),
      ...(zeros && { zeros: this.#input(zeros) }),
    };
  }

  #rows({ values, transposed, scales }: RowQuantized): RowQuantized {
    return {
      values: this.#input(values),
      transposed: this.#input(transposed),
      ...(scales && { scales: this.#input(scales) }),
    };
  }

  #input(tensor: Tensor): Tensor {
    if (tensor.op !== 'parameter') throw new Error('a frozen weight is a parameter');
    const { name, data } = tensor.attributes;
    const own = `frozen.${name.replaceAll(this.#layer, '')}`;
    const shape = tensor.shape.map(Number);
    this.asked[own] = { place: data, shape, dtype: tensor.dtype };
    const made = this.#known.get(tensor) ?? input(own, shape, tensor.dtype);
    this.#known.set(tensor, made);
    return made;
  }
}

/** Weights that are trained themselves. */
export class TrainedInputs implements Weights {
  readonly #trained: Record<string, Tensor>;

  constructor(trained: Record<string, Tensor>) {
    this.#trained = trained;
  }

  has(name: string): boolean {
    return relative(name) in this.#trained;
  }

  vector(...parts: readonly Part[]): Tensor {
    return this.#joined(parts);
  }

  matrix(parts: readonly Part[]): Tensor {
    return this.#joined(parts);
  }

  table(name: string): Tensor {
    return this.#joined([{ name, rows: 0 }]);
  }

  #joined(parts: readonly Part[]): Tensor {
    const all = parts.map(({ name }) => {
      const tensor = this.#trained[relative(name)];
      if (!tensor) throw new Error(`no ${name} is trained`);
      return tensor;
    });
    const [only] = all;
    return all.length === 1 && only ? only : concat(all, 0);
  }
}

/** Without the first layer's name, which stands for that of each. */
export const relative = (name: string): string => name.replace(/^layers\.0\./, '');

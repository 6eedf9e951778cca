// ONNX Runtime as a run uses it: on the thread that calls, with as many threads as the run may have.
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** Numbers in a shape, row-major. */
export interface Values {
  shape: number[];
  data: Float32Array;
}

/** Weights and what the optimiser knows, by name. */
export type State = Record<string, Values>;

export type Feeds = Record<string, Tensor>;

export interface Graph {
  /** Results by name: all of them, or those of `results`, which go into the tensor that is given. */
  run(feeds: Feeds, results?: Record<string, Tensor | null>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** With `patterns` ONNX Runtime keeps a block of memory as large as a whole run of the shapes that it saw, beside its arena. */
export async function openGraph(
  bytes: Uint8Array,
  threads: number,
  { patterns = true }: { patterns?: boolean } = {},
): Promise<Graph> {
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: patterns,
    // Threads that wait sleep soon: the cores belong to those who ask for vectors.
    // Numbers too small for 24 bits, as a softmax gives them where a mask hides a key, count as zero: a processor takes up to a
    // hundred times as long for them. Of the thread that calls, the first session in a process decides.
    extra: { session: { 'intra_op.spin_duration_us': '50', set_denormal_as_zero: '1' } },
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
  });
  const taken = new Set(session.inputNames);
  return {
    // What a graph does not use (a constant column, the optimiser's state) it does not take.
    run(feeds, results) {
      const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => taken.has(name)));
      return results ? session.run(used, results) : session.run(used);
    },
    release: () => session.release(),
  };
}

export const floats = (data: Float32Array, shape: number[]): Tensor => new Tensor('float32', data, shape);
export const doubles = (data: Float64Array, shape: number[]): Tensor => new Tensor('float64', data, shape);
export const texts = (data: string[], shape: number[]): Tensor => new Tensor('string', data, shape);
export const whole = (value: number): Tensor => new Tensor('int64', [BigInt(value)], []);

/** The result `name` as f32. */
export function floatsOf(results: Record<string, Tensor>, name: string): Float32Array {
  const data = results[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`the graph gives no f32 ${name}`);
  return data;
}

/** What a graph gave as `next.NAME`, as what the next call takes: `state.NAME`. */
export function stateOf(results: Record<string, Tensor>): State {
  return Object.fromEntries(
    Object.entries(results)
      .filter(([name]) => name.startsWith('next.'))
      .map(([name, { dims }]) => [
        name.replace('next.', 'state.'),
        { shape: [...dims], data: floatsOf(results, name) },
      ]),
  );
}

export const feedsOf = (state: State): Feeds =>
  Object.fromEntries(Object.entries(state).map(([name, { shape, data }]) => [name, floats(data, shape)]));

/** The part of the state that the model is. */
export const weightsOf = (state: State): State =>
  Object.fromEntries(Object.entries(state).filter(([name]) => name.startsWith('state.weights.')));

// What the playground computes of vectors in the browser: their bytes, how alike they are, and where they lie on a plane.

/** The numbers of a vector that was asked for as `encoding_format: "base64"`: little-endian float32. */
export function decodeVector(base64: string): Float32Array {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true));
}

/** Cosine of each vector to each other; 0 where one has no length. */
export function cosineMatrix(vectors: readonly Float32Array[]): number[][] {
  const lengths = vectors.map(vector => Math.sqrt(dot(vector, vector)));
  return vectors.map((one, row) =>
    vectors.map((other, column) => {
      const scale = (lengths[row] ?? 0) * (lengths[column] ?? 0);
      return scale === 0 ? 0 : dot(one, other) / scale;
    }),
  );
}

export interface Plane {
  points: { x: number; y: number }[];
  /** Share of the variance that each axis shows. */
  explained: [x: number, y: number];
}

const mostSteps = 100;

/**
 * The two principal components of the centred vectors, by power iteration with deflation (Hotelling 1933). The page stays responsive:
 * each step passes over the vectors once and then lets others have their turn.
 */
export async function principalPlane(
  vectors: readonly Float32Array[],
  turn: () => Promise<unknown> = () => new Promise(resolve => setTimeout(resolve)),
): Promise<Plane> {
  const [first] = vectors;
  if (!first) return { points: [], explained: [0, 0] };
  const mean = meanOf(vectors);
  const rows = vectors.map(vector => vector.map((value, index) => value - (mean[index] ?? 0)));
  const total = rows.reduce((sum, row) => sum + dot(row, row), 0);
  const axes: Float32Array[] = [];
  for (let axis = 0; axis < 2; axis++) axes.push(await leadingDirection(rows, { beside: axes, turn }));
  const [xs = [], ys = []] = axes.map(direction => rows.map(row => dot(row, direction)));
  const share = (values: number[]) => (total === 0 ? 0 : values.reduce((sum, value) => sum + value ** 2, 0) / total);
  return { points: xs.map((x, index) => ({ x, y: ys[index] ?? 0 })), explained: [share(xs), share(ys)] };
}

async function leadingDirection(
  rows: readonly Float32Array[],
  { beside, turn }: { beside: readonly Float32Array[]; turn: () => Promise<unknown> },
): Promise<Float32Array> {
  const width = rows[0]?.length ?? 0;
  // Any start that is no eigenvector will do; this one is the same every time, so the map is too.
  let direction: Float32Array = Float32Array.from({ length: width }, (_, index) =>
    Math.sin(index * index + beside.length + 1),
  );
  normalise(direction, beside);
  for (let step = 0; step < mostSteps; step++) {
    const next = new Float32Array(width);
    for (const row of rows) {
      const weight = dot(row, direction);
      for (let index = 0; index < width; index++) next[index] = (next[index] ?? 0) + weight * (row[index] ?? 0);
    }
    if (!normalise(next, beside)) break;
    const turned = 1 - Math.abs(dot(next, direction));
    direction = next;
    if (turned < 1e-7) break;
    await turn();
  }
  // A direction and its opposite are the same axis: the largest part points up, so that a map doesn't flip.
  const largest = direction.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest < 0 ? direction.map(value => -value) : direction;
}

/** Makes `vector` of length 1 and orthogonal to `others`; false where nothing is left of it. */
function normalise(vector: Float32Array, others: readonly Float32Array[]): boolean {
  for (const other of others) {
    const along = dot(vector, other);
    for (let index = 0; index < vector.length; index++)
      vector[index] = (vector[index] ?? 0) - along * (other[index] ?? 0);
  }
  const length = Math.sqrt(dot(vector, vector));
  if (length < 1e-12) return false;
  for (let index = 0; index < vector.length; index++) vector[index] = (vector[index] ?? 0) / length;
  return true;
}

function meanOf(vectors: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors)
    for (let index = 0; index < mean.length; index++)
      mean[index] = (mean[index] ?? 0) + (vector[index] ?? 0) / vectors.length;
  return mean;
}

function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < one.length; index++) sum += (one[index] ?? 0) * (other[index] ?? 0);
  return sum;
}

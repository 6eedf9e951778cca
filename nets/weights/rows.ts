// Numbers rounded to whole numbers of 8 bits with one scale a row, as `matmulInt8` reads them.

/** Rounds a row to −`most` … `most`; gives what 1 stands for. */
export function roundTo8(row: Float32Array, to: Int8Array, most = 127): number {
  let largest = 0;
  for (const value of row) largest = Math.max(largest, Math.abs(value));
  const scale = Math.fround(largest / most);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < row.length; i++) to[i] = Math.round((row[i] ?? 0) * inverse);
  return scale;
}

/** [columns, rows] of a matrix [rows, columns]. */
export function transposed(matrix: Int8Array, columns: number): Int8Array {
  const rows = matrix.length / columns;
  const result = new Int8Array(matrix.length);
  // In squares that fit the processor's caches.
  for (let top = 0; top < rows; top += SQUARE)
    for (let left = 0; left < columns; left += SQUARE)
      for (let column = left; column < Math.min(left + SQUARE, columns); column++)
        for (let row = top; row < Math.min(top + SQUARE, rows); row++)
          result[column * rows + row] = matrix[row * columns + column] ?? 0;
  return result;
}

const SQUARE = 64;

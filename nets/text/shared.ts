/** Typed arrays in memory that threads can have in common. */

type Numbers = Int32Array | Uint16Array | Float64Array | Uint8Array;

/** A copy which is not copied again when it is sent to another thread. */
export function inSharedMemory<Array extends Numbers>(numbers: Array): Array {
  const bytes = new SharedArrayBuffer(numbers.byteLength);
  const Type = numbers.constructor as new (buffer: SharedArrayBuffer) => Array;
  const copy = new Type(bytes);
  copy.set(numbers);
  return copy;
}

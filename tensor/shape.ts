// Shapes whose dimensions are numbers or names, and the rules by which they combine.

/** A length that is known now (384), or the name of one that is known when the graph runs ('batch', 'tokens'),
 *  or a product of both as `product` writes it ('batch*tokens', '2*batch'). */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

/** What every wrong use of an operator throws; the message names the operator and the shapes. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

export const show = (shape: Shape): string => `[${shape.join(', ')}]`;

/** The number of elements: factors multiplied, names sorted, so that equal products are equal strings. */
export function product(shape: Shape): Dimension {
  let known = 1;
  const names: string[] = [];
  for (const dimension of shape.flatMap((d): Dimension[] => (typeof d === 'string' ? d.split('*') : [d]))) {
    const value = Number(dimension);
    if (Number.isNaN(value)) names.push(String(dimension));
    else known *= value;
  }
  if (names.length === 0 || known === 0) return known;
  return [...(known === 1 ? [] : [known]), ...names.toSorted()].join('*');
}

/** The shape that both broadcast to, as NumPy does; a named dimension broadcasts against itself and against 1. */
export function broadcast(operator: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(`${operator}: shapes ${show(a)} and ${show(b)} do not broadcast (${x} against ${y})`);
  });
}

/** The dimension at `axis`, which may count from the end; an error if the shape has no such axis. */
export function at(operator: string, shape: Shape, axis: number): Dimension {
  const dimension = shape.at(axis);
  if (dimension === undefined) throw new ShapeError(`${operator}: shape ${show(shape)} has no axis ${axis}`);
  return dimension;
}

/** `axis` counted from the start. */
export function position(operator: string, shape: Shape, axis: number): number {
  at(operator, shape, axis);
  return axis < 0 ? axis + shape.length : axis;
}

/** `shape` with another last dimension. */
export const withLast = (shape: Shape, last: Dimension): Shape => [...shape.slice(0, -1), last];

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** An error that shows both shapes unless `condition` holds. */
export function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ShapeError(message);
}

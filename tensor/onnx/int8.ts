// Products with whole numbers of 8 bits: how what is multiplied becomes such numbers, in one part or in several.
import { type Dimension, product } from '../shape.ts';
import { ONNX_TYPE } from './messages.ts';
import type { Emit, Scope } from './scope.ts';

export const matmulInt8: Emit<'matmulInt8'> = (
  scope,
  { of: [from, values], shape, attributes: { parts, unit: known } },
  [x = '', whole = '', scales = ''],
) => {
  const [inner = 0, rows = 0] = (values?.shape ?? []).map(Number);
  const byColumn = scales || scope.value('Expand', [scope.number(1), scope.integers([rows])]);
  if (known !== null) {
    const [zero, step] = [
      scope.value('Cast', [scope.number(128)], { attributes: { to: ONNX_TYPE.u8 } }),
      scope.number(known),
    ];
    const [rounded = ''] = scope.once(`${x} in units of ${known}`, () => [
      scope.value('QuantizeLinear', [x, step, zero]),
    ]);
    return scope.node('MatMulIntegerToFloat', [rounded, whole, step, byColumn, zero], { domain: 'com.microsoft' });
  }
  // ONNX Runtime computes it once for each product that takes it, if it is written more than once.
  const [unit = '', ofRows = '', ...quantised] = scope.once(`${x} in ${parts} parts`, () => {
    const all = scope.value('Reshape', [x, scope.integers([-1, inner])]);
    const [, scale] = from?.op === 'rmsNorm' ? from.of : [];
    return scale
      ? unitOfNorm(scope, all, { scale: scope.nameOf(scale), inner, parts })
      : unitsOfRows(scope, all, { rows: product(shape.slice(0, -1)), parts });
  });
  const products = quantised.map((part, i) => {
    const own = ofRows ? scope.number(INT8_UNIT ** i) : scope.value('Mul', [unit, scope.number(INT8_UNIT ** i)]);
    return scope.value('MatMulIntegerToFloat', [part, whole, own, byColumn, int8Zero(scope)], {
      domain: 'com.microsoft',
    });
  });
  const summed = products.reduce((a, b) => scope.value('Add', [a, b]));
  const result = ofRows ? scope.value('Mul', [summed, ofRows]) : summed;
  return scope.node('Reshape', [result, scope.shape(shape, true)]);
};

/** Rows of `matmulInt8` become whole numbers from 64 − 63 to 64 + 63; what a part leaves is at most half of its unit, so that
 *  the unit of the next is a 126th. */
const [INT8_ZERO, INT8_MOST] = [64, 63];
const INT8_UNIT = 1 / (2 * INT8_MOST);

const int8Zero = (scope: Scope) => scope.value('Cast', [scope.number(INT8_ZERO)], { attributes: { to: ONNX_TYPE.u8 } });

/** The parts of [rows, inner] with a unit for each row, which is its largest value: no unit for all, the rows' units [rows, 1],
 *  then the parts u8. */
function unitsOfRows(scope: Scope, all: string, { rows, parts }: { rows: Dimension; parts: number }): string[] {
  // Two reductions only read, where an absolute value would be written.
  const [most = '', least = ''] = ['ReduceMax', 'ReduceMin'].map(operator =>
    scope.value(operator, [all, scope.integers([-1])], { attributes: { keepdims: 0 } }),
  );
  // A row of zeros has a unit too.
  const largest = scope.value('Max', [most, scope.value('Neg', [least]), scope.number(1e-30)]);
  const unit = scope.value('Mul', [largest, scope.number(1 / INT8_MOST)]);
  const [zeros = ''] = scope.once(`zeros of ${rows} rows`, () => [
    scope.value('Expand', [int8Zero(scope), scope.value('Shape', [unit])]),
  ]);
  const whole = partsOf(scope, all, { unit, zeros, parts });
  return ['', scope.value('Unsqueeze', [unit, scope.integers([1])]), ...whole];
}

/** The same of what a norm gives, which is at most √inner of its scale: that unit for all rows, nothing, then the parts. */
function unitOfNorm(
  scope: Scope,
  all: string,
  { scale, inner, parts }: { scale: string; inner: number; parts: number },
): string[] {
  const largest = scope.value('ReduceMax', [scope.value('Abs', [scale])], { attributes: { keepdims: 0 } });
  const reached = scope.value('Mul', [largest, scope.number(Math.sqrt(inner) / INT8_MOST)]);
  const unit = scope.value('Max', [reached, scope.number(1e-30)]);
  return [unit, '', ...partsOf(scope, all, { unit, zeros: int8Zero(scope), parts })];
}

function partsOf(
  scope: Scope,
  all: string,
  { unit, zeros, parts }: { unit: string; zeros: string; parts: number },
): string[] {
  const byRow = { attributes: { axis: 0 } };
  const quantised: string[] = [];
  let rest = all;
  for (let part = 0; part < parts; part++) {
    const own = part === 0 ? unit : scope.value('Mul', [unit, scope.number(INT8_UNIT ** part)]);
    const whole = scope.value('QuantizeLinear', [rest, own, zeros], byRow);
    quantised.push(whole);
    if (part < parts - 1)
      rest = scope.value('Sub', [rest, scope.value('DequantizeLinear', [whole, own, zeros], byRow)]);
  }
  return quantised;
}

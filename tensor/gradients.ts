// Gradients as expressions: one total table of rules, walked from a result back to the tensors that are wanted.
import { after } from './control.ts';
import { type Expression, inOrder, type Operator, type Tensor } from './expression.ts';
import * as t from './operators.ts';
import { layerNorm, matmulInt8, rotaryEmbedding, standardize } from './fused.ts';
import { attentionInParts } from './attention.ts';
import { geluByTanhSlope, geluSlope, inverted, matmulGradients, scattered, unpacked } from './rules.ts';
import { at, type Dimension, product, require, sameShape, type Shape, ShapeError, show } from './shape.ts';
import { leaves, like, type Tree } from './tree.ts';

/** The gradient of a loss (one element) with respect to each tensor of `wanted`. Only what lies between them is walked, so
 *  that a tensor that isn't wanted costs nothing. */
export function gradients<T extends Tree>(loss: Tensor, wanted: T): T {
  require(product(loss.shape) === 1, `gradients: a loss has one element, not ${show(loss.shape)}`);
  const entries = leaves(wanted);
  for (const [path, { dtype, shape }] of entries)
    require(FLOATS.has(
      dtype,
    ), `gradients: ${path || 'a wanted tensor'} is ${dtype} ${show(shape)}; whole numbers have none`);
  const tensors = entries.map(([, tensor]) => tensor);
  const found = pullBack(loss, constantLike(loss, 1), { wanted: tensors });
  return like(
    wanted,
    tensors.map((tensor, i) => found[i] ?? constantLike(tensor, 0)),
  );
}

/** What `gradient` of `result` becomes at each wanted tensor; nothing where `result` doesn't depend on it. Wanted tensors
 *  that depend on one another count as variables of their own when `independent`. */
function pullBack(
  result: Tensor,
  gradient: Tensor,
  { wanted, independent = false }: { wanted: readonly Tensor[]; independent?: boolean },
): (Tensor | undefined)[] {
  const reached = new Set(wanted.filter(({ dtype }) => FLOATS.has(dtype)));
  const ordered = inOrder([result], independent ? reached : undefined);
  for (const y of ordered) if (isContinuous(y) && y.of.some(x => reached.has(x))) reached.add(y);
  const gathered = new Map<Tensor, Tensor[]>([[result, [gradient]]]);
  for (const y of ordered.toReversed()) {
    const parts = gathered.get(y);
    if (!parts || !reached.has(y) || !y.of.some(x => reached.has(x))) continue;
    const passed = backward(total(parts), y, x => reached.has(x));
    for (const [i, x] of y.of.entries()) {
      if (!reached.has(x)) continue;
      const part = passed[i] ?? refused(`nothing passes to its operand ${i}`);
      if ('op' in part) gathered.set(x, [...(gathered.get(x) ?? []), unbroadcast(part, x.shape)]);
      else if (part.passes === 'error') throw new ShapeError(`gradients: ${y.op} ${show(y.shape)}: ${part.because}`);
    }
  }
  return wanted.map(x => {
    const parts = gathered.get(x);
    return parts && total(parts);
  });
}

/** The gradients of the operands from the gradient g of the result y, or why one has none; whole numbers need no reason,
 *  nor do operands that are not `needed`. */
type Rule<O extends Operator> = (g: Tensor, y: Expression<O>, needed: (operand: Tensor) => boolean) => readonly Part[];
type Part = Tensor | NoRule | undefined;

/** Why an operator has no rule: its result is constant wherever it has a derivative, so that nothing passes; or it is an
 *  error to ask. */
interface NoRule {
  readonly passes: 'nothing' | 'error';
  readonly because: string;
}

const flat = (because: string): NoRule => ({ passes: 'nothing', because });
const refused = (because: string): NoRule => ({ passes: 'error', because });

const isContinuous = (y: Tensor): boolean => {
  const rule = RULES[y.op];
  return FLOATS.has(y.dtype) && (typeof rule === 'function' || rule.passes === 'error');
};
const FLOATS: ReadonlySet<string> = new Set(['f64', 'f32', 'f16', 'bf16']);

function backward(g: Tensor, y: Tensor, needed: (operand: Tensor) => boolean): readonly Part[] {
  // The table's row for `op` takes exactly the expression that has this `op`.
  const rule = RULES[y.op] as Rule<Operator> | NoRule;
  if (typeof rule === 'function') return rule(g, y as Expression<Operator>, needed);
  const whole = y.op === 'output' ? first(y) : y;
  const reason = RULES[whole.op];
  const because = typeof reason === 'function' ? '' : reason.because;
  throw new ShapeError(`gradients: ${whole.op} ${show(y.shape)} has none: ${because}`);
}

const total = ([first, ...others]: readonly Tensor[]): Tensor => {
  if (!first) throw new ShapeError('gradients: nothing to add up');
  // Sums of three in one operator take twice the time in ONNX Runtime 1.30.
  return sideBySide([first, ...others]) ?? others.reduce((a, b) => t.add(a, b), first);
};

/** The sum of parts that lie one behind the other between zeros, as the gradients of slices do: what they pad, joined. */
function sideBySide(parts: readonly Tensor[]): Tensor | undefined {
  const pads = parts.flatMap(part => (part.op === 'pad' ? [part] : []));
  const [one] = pads;
  if (!one || pads.length < parts.length || pads.length === 1) return undefined;
  const { axis } = one.attributes;
  const ordered = pads.toSorted((a, b) => a.attributes.start - b.attributes.start);
  let end: Dimension = 0;
  for (const { of, attributes } of ordered) {
    const length = of[0]?.shape[axis];
    if (attributes.axis !== axis || attributes.start !== end || typeof length !== 'number') return undefined;
    end += length;
  }
  return end === one.shape[axis] ? t.concat(ordered.map(first), axis) : undefined;
}

/** The sum of g over the axes along which `shape` was broadcast. */
function unbroadcast(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const lead = g.shape.length - shape.length;
  const axes = g.shape.map((_, i) => i).filter(i => i < lead || (shape[i - lead] === 1 && g.shape[i] !== 1));
  if (shape.length === 1 && lead > 0 && axes.length === lead) return columnSums(g);
  return t.reshape(t.sum(g, axes), shape);
}

/** The sum over all axes but the last, as a product with ones: a third of the time of ReduceSum in ONNX Runtime 1.30. */
function columnSums(g: Tensor): Tensor {
  const columns = at('gradients', g.shape, -1);
  const rows = product(g.shape.slice(0, -1));
  return t.reshape(t.matmul(t.filled([1, rows], 1), t.reshape(g, [rows, columns])), [columns]);
}

/** g with the axes that a reduction took out, of length 1. */
function withAxes(g: Tensor, x: Tensor, { axes, keep }: { axes: readonly number[]; keep: boolean }): Tensor {
  if (keep) return g;
  return t.reshape(
    g,
    x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  );
}

const masked = (condition: Tensor, g: Tensor): Tensor => t.mul(g, t.cast(condition, g.dtype));
const constantLike = ({ shape, dtype }: Tensor, value: number): Tensor => t.cast(t.filled(shape, value), dtype);
const meanOfLast = (x: Tensor): Tensor => t.mean(x, [-1], true);
const operand = ({ op, of }: Tensor, index: number): Tensor => {
  const found = of[index];
  if (!found) throw new ShapeError(`gradients: ${op} has no operand ${index}`);
  return found;
};
const first = (y: Tensor): Tensor => operand(y, 0);
const second = (y: Tensor): Tensor => operand(y, 1);

/** The rule of an operator that is computed whole, by the plain operators that it stands for: they are computed again for
 *  the backward pass, and their inner values are kept only there. */
const byParts =
  <O extends Operator>(parts: (y: Expression<O>) => Tensor): Rule<O> =>
  (g, y) =>
    pullBack(parts(y), g, { wanted: y.of, independent: true });

const leaf = flat('it has no operands');
const discrete = flat('its result is not continuous');

export const RULES: { readonly [O in Operator]: Rule<O> | NoRule } = {
  input: leaf,
  constant: leaf,
  parameter: leaf,
  strings: leaf,
  variable: leaf,
  length: leaf,
  range: leaf,
  // d(a + b) = da + db
  add: g => [g, g],
  // d(a − b) = da − db
  sub: g => [g, t.neg(g)],
  // d(a b) = b da + a db
  mul: (g, y) => [t.mul(g, second(y)), t.mul(g, first(y))],
  // d(a / b) = da / b − (a / b) db / b
  div: (g, { of: [a, b] }) => (a && b ? [t.div(g, b), t.neg(t.div(t.mul(g, t.div(a, b)), b))] : []),
  // the greater one takes all; of equals the first
  max: (g, y) => choose(g, t.greater(second(y), first(y))).toReversed(),
  // the smaller one takes all; of equals the first
  min: (g, y) => choose(g, t.greater(first(y), second(y))).toReversed(),
  // d(a^b) = b a^(b − 1) da + a^b log a db
  pow: (g, { of: [a, b] }) =>
    a && b ? [t.mul(g, t.mul(b, t.pow(a, t.sub(b, 1)))), t.mul(g, t.mul(t.pow(a, b), t.log(a)))] : [],
  addAll: (g, y) => y.of.map(() => g),
  equal: discrete,
  greater: discrete,
  where: (g, { of: [condition] }) => (condition ? [undefined, ...choose(g, condition)] : []),
  neg: g => [t.neg(g)],
  // d|x| = sign(x) dx
  abs: (g, y) => [t.mul(g, t.sign(first(y)))],
  sign: flat('it is constant between its jumps'),
  // d exp(x) = exp(x) dx
  exp: (g, y) => [t.mul(g, y)],
  // d log(x) = dx / x
  log: (g, y) => [t.div(g, first(y))],
  // d√x = dx / (2 √x)
  sqrt: (g, y) => [t.div(t.mul(g, 0.5), y)],
  sin: (g, y) => [t.mul(g, t.cos(first(y)))],
  cos: (g, y) => [t.neg(t.mul(g, t.sin(first(y))))],
  // d erf(x) = 2/√π exp(−x²) dx
  erf: (g, y) => [t.mul(t.mul(g, 2 / Math.sqrt(Math.PI)), t.exp(t.neg(t.square(first(y)))))],
  // dσ(x) = σ (1 − σ) dx
  sigmoid: (g, y) => [t.mul(g, t.mul(y, t.sub(1, y)))],
  softplus: (g, y) => [t.mul(g, t.sigmoid(first(y)))],
  relu: (g, y) => [masked(t.greater(y, 0), g)],
  // d tanh(x) = (1 − tanh²(x)) dx
  tanh: (g, y) => [t.mul(g, t.sub(1, t.square(y)))],
  // d(x σ) = (σ + x σ (1 − σ)) dx = (σ + y (1 − σ)) dx
  silu: (g, y) => {
    const s = t.sigmoid(first(y));
    return [t.mul(g, t.add(s, t.mul(y, t.sub(1, s))))];
  },
  gelu: (g, y) => [t.mul(g, y.attributes.approximate === 'none' ? geluSlope(first(y)) : geluByTanhSlope(first(y)))],
  cast: (g, y) => [t.cast(g, first(y).dtype)],
  stopGradient: flat('gradients end here'),
  isNaN: discrete,
  floor: flat('it is constant between its jumps'),
  codes: discrete,
  matches: discrete,
  splitText: discrete,
  join: discrete,
  bitAnd: discrete,
  bitXor: discrete,
  shift: discrete,
  reshape: (g, y) => [t.reshape(g, first(y).shape)],
  expand: g => [g],
  transpose: (g, { attributes: { permutation } }) => [t.transpose(g, inverted(permutation))],
  concat: (g, { of, attributes: { axis } }) => {
    let start = 0;
    return of.map(({ shape }, i) => {
      const length = at('concat', shape, axis);
      const part = Number.isNaN(start) ? undefined : t.slice(g, axis, { start, length });
      if (!part) throw new ShapeError(`gradients: operand ${i} of concat is behind one of unknown length`);
      start += Number(length);
      return part;
    });
  },
  slice: (g, y) => {
    const { axis, start } = y.attributes;
    return [t.pad(g, axis, { start, length: at('slice', first(y).shape, axis) })];
  },
  pad: (g, y) => {
    const { axis, start } = y.attributes;
    return [t.slice(g, axis, { start, length: at('pad', first(y).shape, axis) })];
  },
  sum: (g, y) => [t.expand(withAxes(g, first(y), y.attributes), first(y).shape)],
  // the greatest takes it; equals share it
  reduceMax: (g, y) => {
    const is = t.cast(t.equal(first(y), withAxes(y, first(y), y.attributes)), g.dtype);
    const shared = t.div(withAxes(g, first(y), y.attributes), t.sum(is, y.attributes.axes, true));
    return [t.mul(is, shared)];
  },
  cumsum: (g, { attributes: { axis, reverse } }) => [t.cumsum(g, axis, { reverse: !reverse })],
  // dy = y (dx − Σ y dx)
  softmax: (g, y) => {
    const weighted = t.mul(g, y);
    return [t.sub(weighted, t.mul(y, t.sum(weighted, [y.attributes.axis], true)))];
  },
  // dy = dx − Σ exp(y) dx
  logSoftmax: (g, y) => [t.sub(g, t.mul(t.exp(y), t.sum(g, [y.attributes.axis], true)))],
  oneHot: discrete,
  topK: refused('gather by its indices instead'),
  nonZero: discrete,
  split: refused('slice instead'),
  // rows of the gradient go back to where they came from
  gather: (g, { of: [table, indices], attributes: { axis } }) =>
    table && indices ? [scattered(g, { table, indices, axis })] : [],
  scatterAdd: (g, y) => [g, undefined, t.gather(g, second(y))],
  output: refused('it is one of several results'),
  // C = α A B: dA = α dC Bᵀ, dB = α Aᵀ dC, each with its operand's transposition
  matmul: (g, { of: [a, b], attributes }) => (a && b ? matmulGradients(g, [a, b], attributes) : []),
  matmulByToken: byParts(y => t.matmul(first(y), t.transpose(second(y), [1, 2, 0, 3]), y.attributes)),
  // y = x Wᵀ + b: dx = dy W, with W unpacked only then
  matmulNBits: (g, y) => {
    const frozen = refused('its weight is frozen; use matmul for one that is trained');
    const [, values, scales, ...others] = y.of;
    if (!values || !scales) return [];
    const zeros = y.attributes.zeros ? others[0] : undefined;
    const weight = unpacked({ ...y.attributes, values, scales, zeros }, g);
    return [t.matmul(g, weight), frozen, frozen, ...(zeros ? [frozen] : []), g];
  },
  // y = x (S Q)ᵀ: dx = (dy S) Q, with the same whole numbers
  matmulInt8: (g, { of: [, values, transposed, scales], attributes: { parts } }) => {
    const frozen = refused('its weight is frozen; use matmul for one that is trained');
    if (!values || !transposed) return [];
    if (values === transposed)
      throw new ShapeError('gradients: matmulInt8 has no transposed weight to go back through');
    const scaled = scales ? t.mul(g, scales) : g;
    return [matmulInt8(scaled, { values: transposed, transposed: values }, { parts }), frozen, frozen, frozen];
  },
  gatherBlockQuantized: flat('its table is whole numbers'),
  // d loss / d logits = softmax − one-hot
  softmaxCrossEntropy: (g, { of: [logits, labels], shape }) => {
    if (!logits || !labels) return [];
    // The ones are scattered: with many classes a dense one-hot matrix costs more than the softmax.
    const classes = Number(at('softmaxCrossEntropy', logits.shape, -1));
    const rows = product(shape);
    const places = t.add(t.mul(t.range(rows), classes), t.reshape(labels, [rows]));
    const scaled = t.mul(t.softmax(logits), t.reshape(g, [...shape, 1]));
    const flattened = t.reshape(scaled, [product(logits.shape)]);
    const marked = t.scatterAdd(flattened, places, t.neg(t.reshape(g, [rows])), { distinct: true });
    return [t.reshape(marked, logits.shape)];
  },
  // x̂ = (x − mean) r: dx = r (dx̂ − mean(dx̂) − x̂ mean(dx̂ x̂))
  layerNorm: (g, { of: [x, scale], attributes: { epsilon } }) => {
    if (!x || !scale) return [];
    const { values, inverse } = standardize(x, { epsilon, center: true });
    const d = t.mul(g, scale);
    const dx = t.mul(inverse, t.sub(t.sub(d, meanOfLast(d)), t.mul(values, meanOfLast(t.mul(d, values)))));
    return [dx, t.mul(g, values), g];
  },
  // x̂ = x r: dx = r (dx̂ − x̂ mean(dx̂ x̂))
  rmsNorm: (g, { of: [x, scale], attributes: { epsilon } }) => {
    if (!x || !scale) return [];
    const { values, inverse } = standardize(x, { epsilon, center: false });
    const d = t.mul(g, scale);
    return [t.mul(inverse, t.sub(d, t.mul(values, meanOfLast(t.mul(d, values))))), t.mul(g, values)];
  },
  standardize: refused('a norm has no second derivative'),
  skipLayerNorm: byParts(({ of: [x, skip, scale, shift, bias], attributes: { epsilon } }) => {
    if (!x || !skip || !scale || !shift) throw new ShapeError('skipLayerNorm: operands are missing');
    return layerNorm(t.addAll(x, skip, ...(bias ? [bias] : [])), { scale, shift }, epsilon);
  }),
  biasGelu: byParts(y => t.gelu(t.add(first(y), second(y)))),
  fastGelu: byParts(({ of: [x, bias] }) => {
    if (!x) throw new ShapeError('fastGelu: operands are missing');
    return t.gelu(bias ? t.add(x, bias) : x, 'tanh');
  }),
  multiHeadAttention: byParts(attentionInParts),
  groupQueryAttention: refused('it only answers; multiHeadAttention learns'),
  // a rotation: its transpose turns back
  rotaryEmbedding: (g, { of: [, positions, cosines, sines], attributes }) =>
    positions && cosines && sines ? [rotaryEmbedding(g, { positions, cosines, sines: t.neg(sines) }, attributes)] : [],
  loop: refused('take them within its body'),
  // its inner values are computed again, not before the gradient is there
  checkpoint: (g, { of: [, ...of], attributes }, needed) => {
    const again = of.slice(0, attributes.arguments).map(x => after(x, g));
    const captured = of.slice(attributes.arguments);
    const found = pullBack(attributes.recompute(again), g, {
      wanted: [...again, ...captured.filter(needed)],
      independent: true,
    });
    const parts = captured.map(x => (needed(x) ? found[again.length + captured.filter(needed).indexOf(x)] : undefined));
    return [flat('it is computed again'), ...found.slice(0, again.length), ...parts];
  },
  after: g => [g, flat('only its time matters')],
  recalled: g => [g, flat('it is a value')],
};

const choose = (g: Tensor, condition: Tensor): [Tensor, Tensor] => {
  const chosen = masked(condition, g);
  return [chosen, t.sub(g, chosen)];
};

// The ONNX graph as it grows: nodes, weights, and the names of values.
import { computedFrom, type Expression, type Operator, type Tensor } from '../expression.ts';
import type { Dimension, Shape } from '../shape.ts';
import type { Attribute, OnnxInitializer, OnnxNode } from './messages.ts';

/** Writes the nodes of one operator; gives the names of its results. */
export type Emit<O extends Operator> = (
  scope: Scope,
  tensor: Expression<O>,
  of: readonly string[],
) => readonly string[];

/** A rule for every operator. */
export type Rules = { readonly [O in Operator]: Emit<O> };

type Domain = 'com.microsoft' | 'ai.onnx.ml';

interface NodeOptions {
  attributes?: Readonly<Record<string, Attribute>>;
  domain?: Domain;
  outputs?: readonly string[];
}

/** The graph as it grows, or the body of a loop in it: names are given in order of appearance, so that they don't change
 *  between runs. Weights, constants and lengths belong to the whole graph, also when a body needs them. */
export class Scope {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #around: Scope | undefined;
  readonly #root: Scope;
  readonly #names = new Map<Tensor, readonly string[]>();
  readonly #taken = new Set<string>();
  readonly #runtimeSizes = new Map<string, string>();
  readonly #integers = new Map<string, string>();
  readonly #numbers = new Map<number, string>();
  readonly #once = new Map<string, readonly string[]>();
  readonly #inputs: readonly Expression<'input'>[];
  readonly #rules: Rules;
  #count = 0;

  constructor(inputs: readonly Expression<'input'>[], rules: Rules, around?: Scope) {
    this.#inputs = inputs;
    this.#rules = rules;
    this.#around = around;
    this.#root = around ? around.#root : this;
    if (!around) for (const { attributes } of inputs) this.claim(attributes.name);
  }

  /** The body of a loop, which sees what is around it. */
  body(): Scope {
    return new Scope(this.#inputs, this.#rules, this);
  }

  /** Gives a variable of a body its name. */
  bind(variable: Tensor): string {
    const name = this.fresh(variable.op);
    this.#names.set(variable, [name]);
    return name;
  }

  emit(tensor: Tensor): void {
    const of = computedFrom(tensor).map(operand => this.nameOf(operand));
    // The table's row for `op` takes exactly the expression that has this `op`.
    const rule = this.#rules[tensor.op] as Emit<Operator>;
    this.#names.set(tensor, rule(this, tensor as Expression<Operator>, of));
  }

  nameOf(tensor: Tensor, index = 0): string {
    const name = this.#names.get(tensor)?.[index] ?? this.#around?.nameOf(tensor, index);
    if (name === undefined) throw new Error(`toOnnx: ${tensor.op} has no result ${index}`);
    return name;
  }

  node(operator: string, inputs: readonly string[], { attributes = {}, domain, outputs }: NodeOptions = {}): string[] {
    const names = outputs ?? [this.fresh(operator)];
    this.nodes.push({ operator, domain: domain ?? '', inputs, outputs: names, attributes });
    return [...names];
  }

  /** As `node`, for an operator with one result that another node takes. */
  value(operator: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const [name] = this.node(operator, inputs, options);
    if (name === undefined) throw new Error(`toOnnx: ${operator} has no result`);
    return name;
  }

  initializer(initializer: OnnxInitializer): string {
    this.#root.initializers.push(initializer);
    return initializer.name;
  }

  fresh(stem: string): string {
    let name = '';
    do name = `${stem}_${this.#root.#count++}`;
    while (this.#root.#taken.has(name));
    return this.claim(name);
  }

  claim(name: string): string {
    if (this.#root.#taken.has(name)) throw new Error(`toOnnx: two values are named ${name}`);
    this.#root.#taken.add(name);
    return name;
  }

  /** A constant list of i64, shared by all that need the same one. */
  integers(values: readonly number[]): string {
    const key = values.join();
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    const name =
      this.#root.#integers.get(key) ??
      this.initializer({ name: this.fresh('integers'), dtype: 'i64', shape: [values.length], data });
    this.#root.#integers.set(key, name);
    return name;
  }

  /** A constant number, shared by all that need the same one: ONNX Runtime sees only then that two nodes compute the same. */
  number(value: number): string {
    const name =
      this.#root.#numbers.get(value) ??
      this.initializer({ name: this.fresh('number'), dtype: 'f32', shape: [], data: floats([value]) });
    this.#root.#numbers.set(value, name);
    return name;
  }

  /** The values that `make` gives, made by the first who asks for `key`. */
  once(key: string, make: () => readonly string[]): readonly string[] {
    const values = this.#once.get(key) ?? make();
    this.#once.set(key, values);
    return values;
  }

  /** A shape as a list of i64. One unknown is left to ONNX as −1 where `infer` allows it. */
  shape(shape: Shape, infer = false): string {
    const unknown = shape.filter(dimension => typeof dimension === 'string');
    const known = shape.every(dimension => dimension !== 0);
    if (unknown.length === 0 || (infer && unknown.length === 1 && known))
      return this.integers(shape.map(dimension => (typeof dimension === 'number' ? dimension : -1)));
    return this.#root.value(
      'Concat',
      shape.map(dimension => this.size(dimension)),
      { attributes: { axis: 0 } },
    );
  }

  /** One dimension as a list of one i64; a named one is read off the first input that has it. */
  size(dimension: Dimension): string {
    if (typeof dimension === 'number') return this.integers([dimension]);
    if (this.#root !== this) return this.#root.size(dimension);
    const known = this.#runtimeSizes.get(dimension);
    if (known !== undefined) return known;
    const factors = dimension.split('*');
    const [first = '', ...rest] = factors.map(factor =>
      factors.length === 1 ? this.#readSize(factor) : this.size(Number(factor) || factor),
    );
    const name = rest.reduce((a, b) => this.value('Mul', [a, b]), first);
    this.#runtimeSizes.set(dimension, name);
    return name;
  }

  #readSize(dimension: string): string {
    for (const { attributes, shape } of this.#inputs) {
      const axis = shape.indexOf(dimension);
      if (axis >= 0) return this.value('Shape', [attributes.name], { attributes: { start: axis, end: axis + 1 } });
    }
    throw new Error(`toOnnx: no input has the dimension ${dimension}, so its length can't be known`);
  }
}

export const floats = (numbers: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);

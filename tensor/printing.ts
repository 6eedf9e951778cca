// A graph as text: one line an operator.
import { inOrder, type LoopBody, type Tensor } from './expression.ts';
import { show } from './shape.ts';

/** The operators that `outputs` are made of, each with its operands, what else it knows, and its result:
 *  `%3 = matmul(x, %2, transB) f32 [batch, 64]`. */
export function showGraph(outputs: Readonly<Record<string, Tensor>>): string {
  const names = new Map<Tensor, string>();
  const lines = block(inOrder(Object.values(outputs)), names, '');
  const results = Object.entries(outputs).map(([name, tensor]) => `${name}: ${names.get(tensor)}`);
  return [...lines, `return ${results.join(', ')}`].join('\n');
}

function block(tensors: readonly Tensor[], names: Map<Tensor, string>, indent: string): string[] {
  return tensors.flatMap(tensor => {
    const { op, of, attributes } = tensor;
    const name = 'name' in attributes ? attributes.name : `%${names.size}`;
    names.set(tensor, name);
    const operands = of.map(operand => names.get(operand) ?? '?');
    if ('trips' in attributes)
      return loop(attributes, { name, operands: operands.slice(0, attributes.state.length) }, names, indent);
    const line = `${indent}${name} = ${op}(${[...operands, ...details(tensor)].join(', ')}) ${tensor.dtype} ${show(tensor.shape)}`;
    return [line];
  });
}

function loop(
  { trips, iteration, state, next, collect }: LoopBody,
  { name, operands }: { name: string; operands: readonly string[] },
  names: Map<Tensor, string>,
  indent: string,
): string[] {
  const variables = [iteration, ...state];
  variables.forEach((variable, i) => names.set(variable, `${name}.${i === 0 ? 'iteration' : `state${i - 1}`}`));
  const of = (tensors: readonly Tensor[]) => tensors.map(tensor => names.get(tensor) ?? '?').join(', ');
  const body = block(inOrder([...next, ...collect], new Set(names.keys())), names, `${indent}  `);
  return [
    `${indent}${name} = loop(${trips} times, state ${operands.join(', ')}) {`,
    ...body,
    `${indent}  next ${of(next)}`,
    ...(collect.length > 0 ? [`${indent}  collect ${of(collect)}`] : []),
    `${indent}}`,
  ];
}

/** The attributes that say something: numbers, lists, and what is switched on. */
function details({ op, attributes, shape }: Tensor): string[] {
  if (op === 'constant') {
    const shown = Array.from<unknown>(attributes.data.slice(0, 4)).join(' ');
    return [attributes.data.length > 4 ? `${shown} …` : shown];
  }
  if (op === 'reshape' || op === 'expand') return [show(shape)];
  return Object.entries(attributes).flatMap(([name, value]: [string, unknown]) => {
    if (name === 'name' || value === false || typeof value === 'function') return [];
    if (value === true) return [name];
    return [
      `${name} ${Array.isArray(value) ? `[${value.join(', ')}]` : typeof value === 'object' ? JSON.stringify(value) : value}`,
    ];
  });
}

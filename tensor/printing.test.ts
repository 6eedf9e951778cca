// Graphs as text.
import { expect, test } from 'vitest';
import { repeat } from './control.ts';
import { add, gather, input, matmul, mul, parameter, sum, tanh } from './operators.ts';
import { showGraph } from './printing.ts';

test('a graph is one line an operator, with names and shapes', () => {
  const x = input('x', ['batch', 3]);
  const w = parameter('w', [4, 3], { data: { file: 'weights', offset: 0, bytes: 48 } });
  const y = sum(tanh(add(matmul(x, w, { transB: true }), 0.5)), [1]);
  expect(showGraph({ y })).toBe(
    [
      'x = input() f32 [batch, 3]',
      'w = parameter(data {"file":"weights","offset":0,"bytes":48}) f32 [4, 3]',
      '%2 = matmul(x, w, transB, alpha 1) f32 [batch, 4]',
      '%3 = constant(0.5) f32 []',
      '%4 = add(%2, %3) f32 [batch, 4]',
      '%5 = tanh(%4) f32 [batch, 4]',
      '%6 = sum(%5, axes [1]) f32 [batch]',
      'return y: %6',
    ].join('\n'),
  );
});

test('the body of a loop is indented, and what it shares stands before it', () => {
  const xs = input('xs', ['steps', 2]);
  const scale = input('scale', []);
  const { state, collected } = repeat('steps', input('start', [2]), (total, i) => {
    const next = add(total, mul(gather(xs, i), tanh(scale)));
    return { state: next, collect: next };
  });
  expect(showGraph({ state, collected })).toBe(
    [
      'start = input() f32 [2]',
      'xs = input() f32 [steps, 2]',
      'scale = input() f32 []',
      '%3 = tanh(scale) f32 []',
      '%4 = loop(steps times, state start) {',
      '  %7 = gather(xs, %4.iteration, axis 0) f32 [2]',
      '  %8 = mul(%7, %3) f32 [2]',
      '  %9 = add(%4.state0, %8) f32 [2]',
      '  next %9',
      '  collect %9',
      '}',
      '%10 = output(%4, index 0) f32 [2]',
      '%11 = output(%4, index 1) f32 [steps, 2]',
      'return state: %10, collected: %11',
    ].join('\n'),
  );
});

// Rows as columns: every cell comes back as it was, and what is no table is refused with its place.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from './check.ts';
import { modelRoutes } from './models.ts';
import { type CellColumn, type CellTable, cellKinds, cellTable, predictData } from './rows.ts';

function cellAt({ kinds, values, texts }: CellColumn, row: number): unknown {
  const value = values[row] ?? 0;
  switch (kinds[row]) {
    case cellKinds.number:
      return value;
    case cellKinds.boolean:
      return value === 1;
    case cellKinds.text:
      return texts[value];
    case cellKinds.other:
      return {};
    default:
      return null;
  }
}

function tableOf(rows: unknown[], wanted?: ReadonlySet<string>): CellTable {
  const read = cellTable(rows, wanted);
  if (!read.ok) throw new Error(read.fault.message);
  return read.table;
}

const cell = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.string(),
  fc.constantFrom('a', 'b'),
);
const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', '');

test('objects: each cell is found under its row and name', () => {
  const row = fc.uniqueArray(fc.tuple(name, cell), { selector: ([key]) => key });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1 }), rows => {
      // As JSON.parse makes them: __proto__ is a name like any other.
      const texts = rows.map(
        cells => `{${cells.map(pair => pair.map(each => JSON.stringify(each)).join(':')).join(',')}}`,
      );
      const { columns } = tableOf(JSON.parse(`[${texts.join(',')}]`) as unknown[]);
      for (const [index, cells] of rows.entries())
        for (const [key, value] of cells) {
          const column = columns.get(key);
          expect(column && cellAt(column, index)).toEqual(Object.is(value, -0) ? 0 : value);
        }
    }),
  );
});

test('lists: each cell is found under its place, and all lists are of one length', () => {
  const table = tableOf([
    [1, 'x', null],
    [true, 'x', { of: 'no use' }],
  ]);
  expect([table.form, table.width, [...table.columns.keys()]]).toEqual(['arrays', 3, ['0', '1', '2']]);
  expect(cellTable([[1], [1, 2]])).toEqual({
    ok: false,
    fault: { row: 1, message: expect.stringContaining('2 values') },
  });
});

test('names that nobody wants are left out', () => {
  expect([...tableOf([{ a: 1, b: 2 }], new Set(['b'])).columns.keys()]).toEqual(['b']);
});

test('a body of many names is refused before it takes much memory', () => {
  const rows = Array.from({ length: 5000 }, (_, row) => ({ [`c${row}`]: 1 }));
  expect(cellTable(rows)).toMatchObject({ ok: false, fault: { message: expect.stringContaining('columns') } });
});

test('texts and messages are prompts, and what is neither a row nor a prompt is named', () => {
  expect(predictData.parse(['a text'])).toEqual({ kind: 'prompts', prompts: ['a text'] });
  expect(predictData.parse([[{ role: 'user', content: 'hi' }]])).toMatchObject({ kind: 'prompts' });
  const { body } = modelRoutes.predict;
  const refused = (data: unknown) => check(body, { model_id: 'm', input: { data } });
  expect(refused([{ a: 1 }, 3])).toMatchObject({ ok: false, refusal: { param: 'input.data[1]' } });
  expect(refused([3])).toMatchObject({ ok: false, refusal: { param: 'input.data[0]' } });
  expect(refused([])).toMatchObject({ ok: false, refusal: { message: 'input.data needs at least one row' } });
});

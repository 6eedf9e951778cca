import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { operationKinds } from './catalog.ts';
import { type Change, type History, change, emptyHistory, missing, toDraft, toOperation } from './draft.ts';

const documented = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');

test('the catalog has exactly the documented operations, with parameters that they take', () => {
  const rows = [...documented.matchAll(/^\| (?:`(\w+)`|\(none\)) \|([^|]*)\|/gm)].map(([, op, params = '']) => ({
    op: op ?? 'automatic',
    params: new Set(params.replaceAll(/\([^)]*\)/g, '').match(/\w+/g)),
  }));
  expect(operationKinds.map(({ op }) => op).toSorted()).toEqual(rows.map(({ op }) => op).toSorted());
  for (const { op, fields } of operationKinds) {
    const row = rows.find(each => each.op === op);
    const unknown = fields.filter(({ name }) => !row?.params.has(name)).map(({ name }) => name);
    expect(unknown, op).toEqual([]);
  }
});

test('operations survive the way through a draft, those that the catalog does not know too', () => {
  const operations = [
    { type: 'clean', params: {} },
    { type: 'clean', params: { op: 'fill_nulls', columns: ['age'], strategy: 'median' } },
    { type: 'transform', params: { op: 'sort', by: [{ column: 'a', nulls: 'first' }] } },
    { type: 'enrich', params: { op: 'from_the_future', depth: 3 } },
  ] as const;
  expect(operations.map((operation, id) => toOperation(toDraft(operation, id)))).toEqual(operations);
});

test('what was left empty is not sent, and what must be said is named', () => {
  const draft = toDraft({ type: 'clean', params: { op: 'regex_replace', columns: [], pattern: 'x' } }, 1);
  expect(toOperation(draft)).toEqual({ type: 'clean', params: { op: 'regex_replace', pattern: 'x' } });
  expect(missing(draft)).toEqual(['replacement']);
  expect(missing({ ...draft, values: { pattern: 'x', replacement: '' } })).toEqual([]);
});

test('each step is taken back and done again; letters typed into one field are one step', () => {
  const steps: Change[] = [
    { kind: 'add', family: 'clean', op: 'trim' },
    { kind: 'add', family: 'transform', op: 'filter' },
    { kind: 'set', id: 2, name: 'where', value: 'a' },
    { kind: 'set', id: 2, name: 'where', value: 'ag' },
    { kind: 'set', id: 2, name: 'where', value: 'age > 3' },
    { kind: 'move', id: 2, by: -1 },
    { kind: 'remove', id: 1 },
  ];
  const done = steps.reduce<History>(change, emptyHistory);
  expect(done.present.map(toOperation)).toEqual([{ type: 'transform', params: { op: 'filter', where: 'age > 3' } }]);
  let at = back(done);
  expect(ops(at)).toEqual([
    ['filter', 'age > 3'],
    ['trim', undefined],
  ]);
  at = back(back(at));
  expect(ops(at)).toEqual([
    ['trim', undefined],
    ['filter', undefined],
  ]);
  at = back(back(at));
  expect(at.present).toEqual([]);
  expect(back(at)).toBe(at);
  for (let step = 0; step < 5; step++) at = change(at, { kind: 'redo' });
  expect(at.present).toEqual(done.present);
  expect(change(at, { kind: 'redo' })).toBe(at);
});

test('an id is never given twice, also after steps were taken back', () => {
  const one = change(emptyHistory, { kind: 'add', family: 'clean', op: 'trim' });
  const none = change(one, { kind: 'undo' });
  const other = change(none, { kind: 'replace', operations: [{ type: 'clean' }, { type: 'clean' }] });
  expect(other.present.map(({ id }) => id)).toEqual([2, 3]);
});

test('a move beyond the ends changes nothing', () => {
  const one = change(emptyHistory, { kind: 'add', family: 'clean', op: 'trim' });
  expect(change(one, { kind: 'move', id: 1, by: -1 })).toBe(one);
});

function back(history: History): History {
  return change(history, { kind: 'undo' });
}

function ops(history: History): unknown[] {
  return history.present.map(({ op, values }) => [op, values['where']]);
}

import { expect, test } from 'vitest';
import { type Feature, predictField, predictRow, startValues } from './predict-fields.ts';

const features: Feature[] = [
  { name: 'age', kind: 'number', sql_type: 'BIGINT' },
  { name: 'price', kind: 'number', sql_type: 'DOUBLE' },
  { name: 'plan', kind: 'category', sql_type: 'VARCHAR' },
  { name: 'active', kind: 'boolean', sql_type: 'BOOLEAN' },
  { name: 'day', kind: 'date', sql_type: 'DATE' },
  { name: 'note', kind: 'text', sql_type: 'VARCHAR' },
];

test('each kind of feature has its control', () => {
  expect(features.map(feature => predictField(feature).control)).toEqual([
    'whole',
    'number',
    'line',
    'choice',
    'date',
    'area',
  ]);
  expect(predictField({ name: 'at', kind: 'date', sql_type: 'TIMESTAMP' }).control).toBe('moment');
});

test('a category is a choice only when all its values are known', () => {
  const plan = { name: 'plan', kind: 'category', sql_type: 'VARCHAR' } as const;
  expect(predictField(plan, { values: ['a', 'b'], complete: true })).toMatchObject({
    control: 'choice',
    values: ['a', 'b'],
  });
  expect(predictField(plan, { values: ['a', 'b'], complete: false })).toMatchObject({
    control: 'line',
    values: ['a', 'b'],
  });
});

test('the example row goes through the form unchanged', () => {
  const example = { age: 41, price: 2.5, plan: 'basic ', active: false, day: '2025-03-01', note: 'two\nlines' };
  expect(predictRow(features, startValues(features, example))).toEqual(example);
});

test('an empty field is a missing value; a text that looks like a number stays one in a category', () => {
  expect(predictRow(features, { ...startValues(features, null), plan: '001', age: '9007199254740993' })).toEqual({
    age: '9007199254740993',
    price: null,
    plan: '001',
    active: null,
    day: null,
    note: null,
  });
});

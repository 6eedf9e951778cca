import { expect, test } from 'vitest';
import { type ColumnFacts, featureObjection, kindFor, targetObjection, trainDefaults } from './train-defaults.ts';

const column = (
  name: string,
  type = 'VARCHAR',
  distinct: number | null = 3,
  count: number | null = 300,
): ColumnFacts => ({
  name,
  type,
  distinct,
  count,
});

test('a column with a usual name is the target, else the last that can be learnt', () => {
  expect(trainDefaults([column('Label'), column('b')])).toEqual({ target: 'Label', modelType: 'classification' });
  expect(trainDefaults([column('a'), column('b'), column('vector', 'FLOAT[]')])).toMatchObject({ target: 'b' });
  expect(trainDefaults([column('species'), column('id', 'VARCHAR', 300)])).toMatchObject({ target: 'species' });
  expect(trainDefaults([])).toEqual({ target: null, modelType: 'classification' });
});

test('amounts are regressions, few different numbers are classes', () => {
  expect(kindFor(column('price', 'DOUBLE', 250))).toBe('regression');
  expect(kindFor(column('stars', 'BIGINT', 5))).toBe('classification');
  expect(kindFor(column('price', 'DECIMAL(18,2)', null))).toBe('regression');
});

test('conversations are for a language model', () => {
  expect(trainDefaults([column('prompt'), column('completion')]).modelType).toBe('llm');
  expect(trainDefaults([column('messages', 'JSON')]).modelType).toBe('llm');
});

test('what can not be learnt is told before it is asked for', () => {
  expect(targetObjection(column('name', 'VARCHAR', 280), 'classification')).toBe('tooManyClasses');
  expect(targetObjection(column('name'), 'regression')).toBe('notNumber');
  expect(targetObjection(column('one', 'BIGINT', 1), 'regression')).toBe('constant');
  expect(targetObjection(column('tags', 'VARCHAR[]'), 'classification')).toBe('type');
  expect(targetObjection(column('name', 'VARCHAR', null, null), 'classification')).toBeNull();
});

test('columns that tell rows apart, are constant or of no use are marked', () => {
  expect(featureObjection(column('id', 'VARCHAR', 299))).toBe('identifier');
  expect(featureObjection(column('id', 'BIGINT', 300))).toBeNull();
  expect(featureObjection(column('one', 'BOOLEAN', 1))).toBe('constant');
  expect(featureObjection(column('time', 'TIME'))).toBe('type');
});

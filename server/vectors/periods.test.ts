import { expect, test } from 'vitest';
import { periodOf } from './periods.ts';

const now = new Date('2026-03-01T17:30:00Z');

test.each([
  [undefined, '2026-01-31', '2026-03-02'],
  ['last_30_days', '2026-01-31', '2026-03-02'],
  ['last_7_days', '2026-02-23', '2026-03-02'],
  ['today', '2026-03-01', '2026-03-02'],
  ['yesterday', '2026-02-28', '2026-03-01'],
  ['this_month', '2026-03-01', '2026-03-02'],
  ['last_month', '2026-02-01', '2026-03-01'],
] as const)('the period %s is from %s until %s', (period, from, to) => {
  expect(periodOf({ period }, now)).toEqual({ from: new Date(from), to: new Date(to) });
});

test('from and to are whole days, both included, and win over a named period', () => {
  const from = new Date('2026-02-01');
  const to = new Date('2026-02-07T12:00:00Z');
  expect(periodOf({ from, to, period: 'today' }, now)).toEqual({ from, to: new Date('2026-02-08') });
  expect(periodOf({ from }, now)).toEqual({ from, to: new Date('2026-03-02') });
  expect(periodOf({ to }, now)).toEqual({ from: new Date('2026-01-09'), to: new Date('2026-02-08') });
  expect(periodOf({ from: to, to }, now)).toEqual({ from: new Date('2026-02-07'), to: new Date('2026-02-08') });
});

test('a period that ends before it begins is refused', () => {
  expect(() => periodOf({ from: new Date('2026-02-02'), to: new Date('2026-02-01') }, now)).toThrow(/from/);
});

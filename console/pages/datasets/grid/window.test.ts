import { expect, test } from 'vitest';
import { columnWindow, rowWindow, scrollTopOf } from './window.ts';

const rowHeight = 33;
const height = 600;

test('of a million rows a screenful is drawn, and both ends can be reached', () => {
  for (const rows of [1_000_000, 200_000_000]) {
    const start = rowWindow({ rows, rowHeight, scrollTop: 0, height });
    expect(start.first).toBe(0);
    expect(start.offset).toBe(0);
    expect(start.totalHeight).toBeLessThanOrEqual(33_000_000);
    const end = rowWindow({ rows, rowHeight, scrollTop: start.totalHeight - height, height });
    expect(end.end).toBe(rows);
    expect(end.end - end.first).toBeLessThan(40);
    // The last row ends where the scrolled area ends.
    expect(end.offset + (end.end - end.first) * rowHeight).toBeCloseTo(start.totalHeight, 3);
  }
});

test('a row that is gone to is among those that are seen', () => {
  for (const rows of [10, 1000, 1_000_000, 50_000_000])
    for (const row of [0, 1, Math.floor(rows / 3), rows - 1]) {
      const scrollTop = scrollTopOf(row, { rows, rowHeight, height });
      const { first, end } = rowWindow({ rows, rowHeight, scrollTop, height });
      expect(first).toBeLessThanOrEqual(row);
      expect(end).toBeGreaterThan(row);
    }
});

test('a table without rows or smaller than the window is drawn whole', () => {
  expect(rowWindow({ rows: 0, rowHeight, scrollTop: 0, height })).toMatchObject({ first: 0, end: 0 });
  expect(rowWindow({ rows: 5, rowHeight, scrollTop: 0, height })).toEqual({
    totalHeight: 165,
    first: 0,
    end: 5,
    offset: 0,
  });
});

test('columns that are seen and one beside each edge are drawn', () => {
  const edges = Array.from({ length: 101 }, (_, index) => index * 100);
  expect(columnWindow(edges, { left: 0, width: 250 })).toEqual([0, 4]);
  expect(columnWindow(edges, { left: 5000, width: 250 })).toEqual([49, 54]);
  expect(columnWindow(edges, { left: 9900, width: 250 })).toEqual([98, 100]);
});

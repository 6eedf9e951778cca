import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Alarm } from './alarm.ts';

let rings: number[];
let alarm: Alarm;

beforeEach(() => {
  vi.useFakeTimers();
  const started = performance.now();
  rings = [];
  alarm = new Alarm(() => rings.push(performance.now() - started));
});

afterEach(() => {
  vi.useRealTimers();
});

test('rings once, at the earliest time asked for', () => {
  alarm.within(30_000);
  alarm.within(250);
  alarm.within(500);
  vi.advanceTimersByTime(60_000);
  expect(rings).toEqual([250]);
});

test('can be asked again when it has rung, and does not ring when cleared', () => {
  alarm.within(100);
  vi.advanceTimersByTime(100);
  alarm.within(200);
  vi.advanceTimersByTime(200);
  alarm.within(100);
  alarm.clear();
  vi.advanceTimersByTime(1000);
  expect(rings).toEqual([100, 300]);
});

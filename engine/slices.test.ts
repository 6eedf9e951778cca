import { expect, test } from 'vitest';
import { Slices } from './slices.ts';

/** A clock that only the jobs advance. */
function setUp() {
  const slices = new Slices();
  const finished: string[] = [];
  let time = 0;
  const job = function* (name: string, steps: number): Generator<void, void> {
    for (let step = 0; step < steps; step++) {
      time += 1;
      yield;
    }
    finished.push(name);
  };
  let id = 0;
  return {
    add: (name: string, steps: number) => slices.add(id++, job(name, steps)),
    turn: () => slices.turn(() => time),
    slices,
    finished,
    time: () => time,
  };
}

test('a short job waits for at most one slice of a long one', () => {
  const { add, turn, finished, time } = setUp();
  add('long', 1000);
  turn();
  turn();
  add('short', 2);
  const before = time();
  turn();
  turn();
  expect(finished).toEqual(['short']);
  expect(time() - before).toBeLessThanOrEqual(5 + 3);
});

test('a stream of short jobs does not starve a long one', () => {
  const { add, turn, finished } = setUp();
  add('long', 50);
  for (let turns = 0; turns < 40 && !finished.includes('long'); turns++) {
    add('short', 2);
    turn();
  }
  expect(finished).toContain('long');
  expect(finished.filter(name => name === 'short').length).toBeGreaterThan(5);
});

test('long jobs advance side by side', () => {
  const { add, turn, finished } = setUp();
  for (const name of ['a', 'b', 'c']) add(name, 20);
  let turns = 0;
  while (finished.length === 0) {
    turn();
    turns++;
  }
  expect(turns).toBeGreaterThanOrEqual(10);
});

test('a cancelled job runs no further', () => {
  const { slices, add, turn, finished } = setUp();
  add('gone', 20);
  turn();
  slices.cancel(0);
  expect(slices.size).toBe(0);
  turn();
  expect(finished).toEqual([]);
});

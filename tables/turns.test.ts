// Places are shared by accounts, whoever asks for more.
import { setImmediate as turn } from 'node:timers/promises';
import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check';
import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

/** Enters without waiting; `order` has who got in. */
function shop(places: number) {
  const turns = new Turns(places);
  const order: string[] = [];
  const leaving: (() => void)[] = [];
  const enter = async (account: string, signal?: AbortSignal) => {
    const leave = await turns.enter(account, signal).catch(() => null);
    if (!leave) return;
    order.push(account);
    leaving.push(leave);
  };
  return { turns, order, leaving, enter };
}

test('one account leaves a place free for others, whatever it asks for', async () => {
  const { order, enter } = shop(3);
  for (let i = 0; i < 50; i++) void enter('greedy');
  await turn();
  expect(order).toEqual(['greedy', 'greedy']);
  void enter('other');
  await turn();
  expect(order).toEqual(['greedy', 'greedy', 'other']);
});

test('a single place goes round the accounts', async () => {
  const { order, leaving, enter } = shop(1);
  for (const account of ['a', 'a', 'a', 'b', 'b', 'c']) void enter(account);
  await turn();
  for (let i = 0; i < 5; i++) {
    leaving.shift()?.();
    await turn();
  }
  expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
});

test('who leaves the line before its turn takes no place', async () => {
  const { order, leaving, enter } = shop(1);
  const controller = new AbortController();
  void enter('a');
  void enter('b', controller.signal);
  void enter('c');
  await turn();
  controller.abort();
  leaving.shift()?.();
  await turn();
  expect(order).toEqual(['a', 'c']);
});

test('never more than the places, nobody is forgotten, and a newcomer waits for one start of each other account at most', async () => {
  await assert(
    asyncProperty(
      integer({ min: 1, max: 4 }),
      array(constantFrom('a', 'b', 'c', 'leave'), { maxLength: 60 }),
      async (places, steps) => {
        const { order, leaving, enter } = shop(places);
        let entered = 0;
        let left = 0;
        for (const step of steps) {
          if (step !== 'leave') {
            void enter(step);
            entered++;
          } else if (leaving.length > 0) {
            leaving.shift()?.();
            left++;
          }
          await turn();
          expect(order.length - left).toBeLessThanOrEqual(places);
        }
        const from = order.length;
        void enter('new');
        entered++;
        await turn();
        for (let guard = 0; order.length < entered && guard < 200; guard++) {
          leaving.shift()?.();
          await turn();
        }
        expect(order).toHaveLength(entered);
        expect(order.indexOf('new') - from).toBeLessThanOrEqual(3);
      },
    ),
    { numRuns: 100 },
  );
});

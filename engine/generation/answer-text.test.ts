// Texts of answers: whole characters, and stop texts wherever tokens begin and end.
import { expect, test } from 'vitest';
import { AnswerText } from './answer-text.ts';

/** Tokens are bytes. */
const bytes = (ids: Iterable<number>): string => Buffer.from([...ids]).toString();
/** Tokens are texts by their place in the list. */
const words = (list: readonly string[]) => (ids: Iterable<number>) => [...ids].map(id => list[id] ?? '').join('');

test('a character comes when its last byte is there, and a broken one at the end', () => {
  const answer = new AnswerText(bytes, []);
  const text = 'aé🌱b';
  const pieces = [...Buffer.from(text)].map(byte => answer.push(byte));
  expect(pieces).toEqual(['a', '', 'é', '', '', '', '🌱', 'b']);
  expect(answer.end()).toBe('');
  const broken = new AnswerText(bytes, []);
  expect([broken.push(0xf0), broken.push(0x9f), broken.end()]).toEqual(['', '', '\ufffd']);
});

test('follows the prompt, where a text would begin without its space', () => {
  const answer = new AnswerText(ids => words(['is', ' Paris', '.'])(ids).trimStart(), [], [0]);
  expect([answer.push(1), answer.push(2), answer.end()]).toEqual([' Paris', '.', '']);
});

test('what may become a stop text is held back, and given out when it becomes none', () => {
  const list = ['I say', ' EN', 'D', ' now', 'ENOUGH'];
  const stopped = new AnswerText(words(list), ['END', 'now']);
  expect([stopped.push(0), stopped.push(1), stopped.push(2)]).toEqual(['I say', ' ', '']);
  expect([stopped.stopped, stopped.end()]).toEqual([true, '']);
  const going = new AnswerText(words(list), ['END']);
  expect([going.push(1), going.push(3), going.push(4), going.end()]).toEqual([' ', 'EN now', 'ENOUGH', '']);
  const held = new AnswerText(words(list), ['ENDING']);
  expect([held.push(1), held.push(2), held.end(), held.stopped]).toEqual([' ', '', 'END', false]);
});

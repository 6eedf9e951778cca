import { expect, test } from 'vitest';
import { derivedId, newId } from './ids.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a new identifier is a UUID of version 7 that sorts by time', () => {
  expect(uuid.exec(newId())?.[1]).toBe('7');
  expect(newId(1000) < newId(2000)).toBe(true);
});

test('a derived identifier is the same for the same parts, and another where the parts meet elsewhere', () => {
  expect(uuid.exec(derivedId('job', 1, 2))?.[1]).toBe('8');
  expect(derivedId('job', 1, 2)).toBe(derivedId('job', 1, 2));
  expect(
    new Set([derivedId('job', 1, 2), derivedId('job', 12), derivedId('job1', 2), derivedId('job', '1', 2)]).size,
  ).toBe(4);
});

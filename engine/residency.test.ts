import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseVictims, minResidencyMs, type Resident } from './residency.ts';

const resident = (fields: Partial<Resident> & { name: string }) => ({
  bytes: 100,
  extra: false,
  busy: false,
  lastUsedAt: 0,
  loadedAt: 0,
  ...fields,
});
const names = (victims: { name: string }[]) => victims.map(victim => victim.name);

test('the least recently used model gives way', () => {
  const list = [resident({ name: 'new', lastUsedAt: 2 }), resident({ name: 'old', lastUsedAt: 1 })];
  expect(names(chooseVictims(list, { bytes: 50, now: 5 }))).toEqual(['old']);
});

test('second sessions go before models, idle ones before busy ones', () => {
  const list = [
    resident({ name: 'busy', busy: true }),
    resident({ name: 'idle', lastUsedAt: 1 }),
    resident({ name: 'extra', extra: true, lastUsedAt: 9 }),
  ];
  expect(names(chooseVictims(list, { bytes: 300, now: minResidencyMs }))).toEqual(['extra', 'idle', 'busy']);
});

test('a busy model keeps its place for a while', () => {
  const list = [resident({ name: 'busy', busy: true, loadedAt: 1000 })];
  expect(chooseVictims(list, { bytes: 1, now: 1000 + minResidencyMs - 1 })).toEqual([]);
  expect(chooseVictims(list, { bytes: 1, now: 1000 + minResidencyMs })).toHaveLength(1);
});

test('either enough is freed and nothing beyond need, or nothing is touched', () => {
  const any = fc.record({
    bytes: fc.integer({ min: 1, max: 100 }),
    extra: fc.boolean(),
    busy: fc.boolean(),
    lastUsedAt: fc.nat(100),
    loadedAt: fc.nat(20_000),
  });
  fc.assert(
    fc.property(fc.array(any), fc.integer({ min: 1, max: 400 }), (list, bytes) => {
      const victims = chooseVictims(list, { bytes, now: 20_000 });
      const freed = victims.reduce((sum, victim) => sum + victim.bytes, 0);
      const last = victims.at(-1);
      if (last) expect(freed >= bytes && freed - last.bytes < bytes).toBe(true);
    }),
  );
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextTurn, startOf } from './fairness.ts';

interface Model {
  name: string;
  service: number;
  ready: boolean;
}

const model = (name: string, service = 0): Model => ({ name, service, ready: true });

/** Serves batches of `cost` in turn, as the engine does. */
class Dispatcher {
  readonly models: Model[];
  servedUpTo = 0;

  constructor(models: Model[]) {
    this.models = models;
  }

  serve(cost: number): Model | null {
    const next = nextTurn(this.models, this.servedUpTo, ({ ready }) => ready);
    if (next) {
      this.servedUpTo = startOf(next, this.servedUpTo);
      next.service = this.servedUpTo + cost;
    }
    return next;
  }

  namesOf(batches: number, cost: number): string {
    return Array.from({ length: batches }, () => this.serve(cost)?.name).join('');
  }
}

describe('one that was alone for long', () => {
  test('takes turns with a newcomer, whoever of them wakes first', () => {
    const [veteran, newcomer] = [model('v'), model('n')];
    newcomer.ready = false;
    const dispatcher = new Dispatcher([veteran, newcomer]);
    dispatcher.namesOf(1000, 10);
    veteran.ready = false;
    newcomer.ready = true;
    expect(dispatcher.namesOf(3, 10)).toBe('nnn');
    veteran.ready = true;
    expect(dispatcher.namesOf(7, 10)).toMatch(/^v{0,2}(nv)+n?$/);
  });

  test('does not wait for one that was loading meanwhile to catch up', () => {
    const [veteran, loading] = [model('v'), model('l')];
    loading.ready = false;
    const dispatcher = new Dispatcher([veteran, loading]);
    dispatcher.namesOf(1000, 10);
    loading.ready = true;
    expect(dispatcher.namesOf(7, 10)).toMatch(/^v?(lv)+l?$/);
  });
});

test('whose queue empties after every batch does not pass one with a full queue', () => {
  const [full, sparse] = [model('f'), model('s')];
  const dispatcher = new Dispatcher([sparse, full]);
  const names: string[] = [];
  for (let batch = 0; batch < 20; batch++) {
    const next = dispatcher.serve(10);
    names.push(next?.name ?? '');
    // Its next text comes only after another batch.
    sparse.ready = next !== sparse;
  }
  expect(names.filter(name => name === 'f').length).toBeGreaterThanOrEqual(10);
});

test('whatever went before, two models that wait get the same but for a batch of each', () => {
  const longest = 50;
  const step = fc.record({
    ready: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    cost: fc.integer({ min: 1, max: longest }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.array(fc.integer({ min: 1, max: longest })), (before, costs) => {
      const models = ['a', 'b', 'c'].map(name => model(name));
      const dispatcher = new Dispatcher(models);
      for (const { ready, cost } of before) {
        const { servedUpTo } = dispatcher;
        for (const [index, one] of models.entries()) one.ready = ready[index] ?? false;
        dispatcher.serve(cost);
        expect(dispatcher.servedUpTo).toBeGreaterThanOrEqual(servedUpTo);
        for (const { service } of models) expect(service).toBeLessThanOrEqual(dispatcher.servedUpTo + longest);
      }
      for (const one of models) one.ready = true;
      const got = new Map(models.map(one => [one, 0]));
      for (const cost of costs) {
        const next = dispatcher.serve(cost);
        if (next) got.set(next, (got.get(next) ?? 0) + cost);
      }
      expect(Math.max(...got.values()) - Math.min(...got.values())).toBeLessThanOrEqual(2 * longest);
    }),
  );
});

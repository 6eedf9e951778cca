// The shipped plans are the contract's, and an operator's mistakes are named by their place.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, bigInt, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../database/testing.ts';
import { formatUsd, loadPlans, parsePlans, picodollarsToUsd, usdToPicodollars, withOverrides } from './index.ts';

describe('plans.json', () => {
  it('is the table of the contract', async () => {
    const plans = await loadPlans('/nowhere');
    const rows = plans.list().map(({ name, vectors, data, tiers, monthlyCreditPicodollars: credit, ...rest }) => {
      const requests = [vectors.minute, vectors.hour, vectors.batch, data.minute, data.day];
      return [name, ...requests, tiers.length, formatUsd(credit), rest.storageBytes, rest.jobs, rest.maxKeys];
    });
    expect(rows).toEqual([
      ['free', 10, 100, 5, 10, 1000, 1, '2', 1e9, 1, 1],
      ['starter', 50, 1000, 50, 50, 10_000, 2, '50', 20e9, 2, 5],
      ['pro', 500, 10_000, 500, 100, 50_000, 3, '200', 200e9, 4, 20],
      ['enterprise', null, null, 1000, null, null, 3, '0', null, null, null],
    ]);
    expect(formatUsd(plans.signUpCreditPicodollars)).toBe('10');
    expect(
      plans
        .list()
        .every(
          plan => plan.trainingSecondPicodollars + plan.predictedRowPicodollars + plan.generatedTokenPicodollars === 0n,
        ),
    ).toBe(true);
  });

  it("is replaced by the operator's, whose mistakes are named by their place", async () => {
    const folder = temporaryFolder();
    const own = join(folder.path, 'plans.json');
    const shipped = await readFile(new URL('plans.json', import.meta.url), 'utf8');
    await writeFile(own, shipped.replace('"minute": 10,', '"minute": 12,'));
    expect((await loadPlans(folder.path)).get('free')?.vectors.minute).toBe(12);
    await writeFile(own, shipped.replace('"minute": 10,', '"minute": "ten",'));
    await expect(loadPlans(folder.path)).rejects.toThrow(/plans\.json can't be used: plans\.0\.vectors\.minute: /);
    expect(() => parsePlans(shipped.replace('"starter"', '"free"'), 'x')).toThrow('two plans have one name');
    expect(() => parsePlans(shipped.replace('"jobs"', '"job"'), 'x')).toThrow(/plans\.0/);
    expect(() => parsePlans('{', 'my.json')).toThrow('my.json is not JSON');
    await folder.remove();
  });

  it("gives way to an account's own limits, field by field", async () => {
    const free = (await loadPlans('/nowhere')).get('free');
    if (!free) throw new Error('There is no free plan');
    const own = withOverrides(free, { vectors: { minute: null }, storage_bytes: 5, monthly_credit_usd: 3.5 });
    expect(own).toEqual({
      ...free,
      vectors: { ...free.vectors, minute: null },
      storageBytes: 5,
      monthlyCreditPicodollars: 3_500_000_000_000n,
    });
  });
});

describe('money', () => {
  it('is exact', () => {
    expect(usdToPicodollars(0.0035)).toBe(3_500_000_000n);
    expect(usdToPicodollars('2.50')).toBe(2_500_000_000_000n);
    expect(usdToPicodollars(2e-9)).toBe(2000n);
    expect(usdToPicodollars(0.1 + 0.2)).toBe(300_000_000_000n);
    expect(picodollarsToUsd(-2_540_000n)).toBe(-0.00000254);
    for (const bad of ['', 'ten', '1e3', NaN, Infinity, 1e30]) expect(() => usdToPicodollars(bad)).toThrow(RangeError);
  });

  it('comes back from its text', () => {
    assert(property(bigInt(-(10n ** 24n), 10n ** 24n), amount => usdToPicodollars(formatUsd(amount)) === amount));
  });
});

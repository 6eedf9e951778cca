// Versions and quota on both databases, as far as this machine has them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Account, createAccounts } from '../accounts/index.ts';
import type { Database } from '../database/index.ts';
import { type TestDatabases, startDatabases } from '../database/testing.ts';
import { loadPlans } from '../plans/index.ts';
import { type Quota, createQuota } from '../quota/index.ts';
import { type NewDataset, type NewVersion, type Store, createStore, newDatasetId } from './store.ts';

function version(owner: Account, id: string, fields: Partial<NewVersion> = {}): NewVersion {
  return {
    datasetId: id,
    accountId: owner.id,
    file: `datasets/${owner.id}/${id}/${crypto.randomUUID()}/data.parquet`,
    rows: 3,
    columns: [{ name: 'name', type: 'VARCHAR', nulls: 1 }],
    rejected: { count: 1, samples: [{ line: 2, column: null, reason: 'ragged', text: 'a\0b' }] },
    notes: ['It is in UTF-16'],
    sizeBytes: 100,
    countedBytes: 100,
    sha256: 'ab',
    parents: [],
    inherited: [],
    operations: [],
    report: [],
    jobId: null,
    output: null,
    ...fields,
  };
}

function dataset(owner: Account, fields: Partial<NewDataset> = {}): NewDataset {
  return { ...version(owner, newDatasetId()), name: 'one', description: null, format: 'csv', ...fields };
}

const operation = { type: 'clean' as const, params: { op: 'trim' } };

describe.each(['pglite', 'postgresql'] as const)('on %s', kind => {
  let databases: TestDatabases | null;
  let database: Database;
  let store: Store;
  let quota: Quota;
  let people = 0;

  beforeAll(async () => {
    databases = await startDatabases(kind);
    if (!databases) return;
    database = await databases.open();
    store = createStore(database);
    quota = await createQuota({ database });
  }, 120_000);

  afterAll(async () => {
    await quota?.close();
    await databases?.stop();
  });

  const check = (name: string, run: () => Promise<void>) =>
    test(name, async ({ skip }) => {
      if (!databases) return skip(`no ${kind} here`);
      await run();
    });

  async function account(storageBytes: number | null = null): Promise<Account> {
    const accounts = await createAccounts({
      database,
      plans: await loadPlans('/nowhere'),
      defaultModelFor: async () => 'e5_small',
    });
    const email = `${kind}${++people}@example.com`;
    return accounts.create({ email, plan: 'free', limits: { storage_bytes: storageBytes } });
  }

  async function created(owner: Account, fields: Partial<NewDataset> = {}): Promise<NewDataset> {
    const made = dataset(owner, fields);
    const { id } = await quota.reserve(owner, made.countedBytes);
    expect(await store.create([made], id)).toBe(true);
    return made;
  }

  check('a dataset comes back as it was made, also with characters that jsonb refuses', async () => {
    const owner = await account();
    const made = await created(owner, { name: '<b>"naïve"</b>' });
    const found = await store.get(owner.id, { id: made.datasetId, version: null });
    const { datasetId, accountId, countedBytes: _, name, description, format, ...rest } = made;
    expect(found).toMatchObject({
      id: datasetId,
      accountId,
      name,
      description,
      format,
      version: { ...rest, number: 1 },
    });
    expect(await store.get((await account()).id, { id: datasetId, version: null })).toBeNull();
  });

  check('versions are numbered in order, none twice, also when they are made at once', async () => {
    const owner = await account();
    const { datasetId: id } = await created(owner);
    const numbers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const reservation = await quota.reserve(owner, 10);
        return store.addVersion(version(owner, id, { operations: [operation] }), reservation.id);
      }),
    );
    expect(numbers.toSorted()).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await store.get(owner.id, { id, version: null }))?.version.number).toBe(9);
    expect((await store.get(owner.id, { id, version: 4 }))?.version.operations).toEqual([operation]);
    expect((await store.versions(id)).newest.map(each => each.number)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  check('a deleted version is gone and its number is not given again; the only one goes with its dataset', async () => {
    const owner = await account();
    const first = await created(owner);
    const id = first.datasetId;
    const second = version(owner, id, { countedBytes: 7 });
    await store.addVersion(second, (await quota.reserve(owner, 1)).id);
    expect(await store.remove(owner.id, { id, version: 2 })).toEqual({
      versions: [2],
      files: [second.file],
      countedBytes: 7,
    });
    expect(await store.remove(owner.id, { id, version: 2 })).toBeNull();
    expect(await store.remove(owner.id, { id, version: 1 })).toMatchObject({ versions: [] });
    expect(await store.addVersion(version(owner, id), (await quota.reserve(owner, 1)).id)).toBe(3);
    expect(await store.remove((await account()).id, { id, version: null })).toBeNull();
    expect((await store.remove(owner.id, { id, version: null }))?.versions).toEqual([1, 3]);
    expect(await store.get(owner.id, { id, version: null })).toBeNull();
    expect(await store.addVersion(version(owner, id), (await quota.reserve(owner, 1)).id)).toBeNull();
  });

  check('without its reservation nothing is made', async () => {
    const owner = await account();
    const made = dataset(owner);
    const reservation = await quota.reserve(owner, 1);
    await reservation.release();
    expect(await store.create([made], reservation.id)).toBe(false);
    expect(await store.get(owner.id, { id: made.datasetId, version: null })).toBeNull();
    expect(await quota.used(owner.id)).toBe(0);
  });

  check('one job makes each of its outputs once', async () => {
    const owner = await account();
    const jobId = crypto.randomUUID();
    const parts = ['test', 'train'].map(output => dataset(owner, { jobId, output }));
    expect(await store.create(parts, (await quota.reserve(owner, 1)).id)).toBe(true);
    await expect(
      store.create([dataset(owner, { jobId, output: 'test' })], (await quota.reserve(owner, 1)).id),
    ).rejects.toThrow();
    expect((await store.madeBy(jobId)).map(each => each.version.output).toSorted()).toEqual(['test', 'train']);
  });

  check('pages list the newest first and meet no dataset twice', async () => {
    const owner = await account();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push((await created(owner)).datasetId);
    const first = await store.list(owner.id, { limit: 3, after: null });
    const second = await store.list(owner.id, { limit: 3, after: first.at(-1)?.id ?? null });
    expect([...first, ...second].map(each => each.id)).toEqual(ids.toReversed());
  });

  check('twenty at once at the edge of the plan: exactly as many as fit', async () => {
    const owner = await account(1000);
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, async () => {
        const reservation = await quota.reserve(owner);
        for (const bytes of [30, 60, 100]) await reservation.grow(bytes);
        return store.create([dataset(owner)], reservation.id);
      }),
    );
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(10);
    const refused = results.find(result => result.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'STORAGE_QUOTA_EXCEEDED' });
    expect(await quota.used(owner.id)).toBe(1000);
    const [first] = await store.list(owner.id, { limit: 1, after: null });
    await store.remove(owner.id, { id: first?.id ?? '', version: null });
    await (await quota.reserve(owner, 100)).release();
    await expect(quota.reserve(owner, 101)).rejects.toMatchObject({
      fields: { details: { limit_bytes: 1000, used_bytes: 900, required_bytes: 101 } },
    });
  });

  check('files of versions, of living reservations and of unknown accounts are known, others are not', async () => {
    const owner = await account();
    const { file } = await created(owner);
    const reservation = await quota.reserve(owner, 1);
    const files = [
      { key: file, accountId: owner.id, reservationId: '' },
      { key: 'living', accountId: owner.id, reservationId: reservation.id },
      { key: 'dead', accountId: owner.id, reservationId: 'z' },
      { key: 'of another database', accountId: 'acc_unknown', reservationId: 'z' },
    ];
    expect(await store.known(files)).toEqual(new Set([file, 'living', 'of another database']));
  });

  check('names change, and only those that are given', async () => {
    const owner = await account();
    const { datasetId: id } = await created(owner, { description: 'of it' });
    expect(await store.rename(owner.id, id, { name: null })).toBe(true);
    expect(await store.get(owner.id, { id, version: null })).toMatchObject({ name: null, description: 'of it' });
    expect(await store.rename((await account()).id, id, { name: 'mine' })).toBe(false);
  });
});

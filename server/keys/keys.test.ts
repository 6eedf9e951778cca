// Accounts and keys: what a key stands for, when it stops, and how many there may be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../accounts/index.ts';
import type { Accounts } from '../accounts/index.ts';
import { createGroupCommit } from '../database/index.ts';
import type { Database, GroupCommit } from '../database/index.ts';
import { postgresqlPrograms, startDatabases } from '../database/testing.ts';
import type { TestDatabases } from '../database/testing.ts';
import { loadPlans, usdToPicodollars } from '../plans/index.ts';
import type { Plans } from '../plans/index.ts';
import { createKeys, ensureAdministrator, KeyError, makeAdminKey } from './index.ts';
import { KeysTooFast } from './keys.ts';
import type { Keys } from './index.ts';

const defaultModelFor = async ({ name }: { name: string }) => (name === 'free' ? 'e5_small' : 'gte_base');

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(`keys over ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
    let databases: TestDatabases | null;
    let database: Database;
    let commit: GroupCommit;
    let plans: Plans;
    let accounts: Accounts;
    let keys: Keys;
    let nowMs = Date.parse('2024-02-10T12:00:00Z');
    const startKeys = () => createKeys({ database, commit, accounts, plans, now: () => nowMs });
    beforeAll(async () => {
      databases = await startDatabases(kind);
      if (!databases) throw new Error('No server');
      database = await databases.open();
      commit = createGroupCommit(database);
      plans = await loadPlans('/nowhere');
      accounts = await createAccounts({ database, plans, defaultModelFor, now: () => new Date(nowMs) });
      keys = startKeys();
    });
    afterAll(async () => {
      await commit.close();
      await databases?.stop();
    });
    const newAccount = (email: string, plan = 'free') => accounts.create({ email, plan });

    it('stands for its account, and its secret is nowhere but with its owner', async () => {
      const account = await newAccount('Ada@Example.org');
      const made = await keys.make(account.id, {
        name: 'first',
        scopes: ['vectors'],
        models: ['e5_small'],
        budgetPicodollars: 5n,
      });
      expect(made?.secret).toMatch(/^sk-[0-9A-Za-z]{40}$/);
      expect(await keys.authenticate(made?.secret ?? '')).toEqual({
        account,
        key: {
          id: made?.key.id,
          name: 'first',
          admin: false,
          scopes: ['vectors'],
          models: ['e5_small'],
          budgetPicodollars: 5n,
          expiresAt: null,
        },
      });
      expect(account).toMatchObject({
        email: 'ada@example.org',
        defaultModel: 'e5_small',
        billed: true,
        balancePicodollars: usdToPicodollars(2),
      });
      expect(await keys.authenticate('sk-wrong')).toBeNull();
      expect(await keys.authenticate('')).toBeNull();
      await commit.flush();
      const stored = await database.query(`SELECT k::text AS text FROM keys k WHERE account_id = $1`, [account.id]);
      expect(JSON.stringify(stored)).not.toContain(made?.secret.slice(3, -4));
      expect((await keys.list(account.id)).map(({ name, hint, lastUsedAt }) => [name, hint, lastUsedAt])).toEqual([
        ['first', made?.secret.slice(-4), new Date(nowMs)],
      ]);
    });

    it('stops when it is revoked, at once here and soon elsewhere, and when it expires', async () => {
      const account = await newAccount('revoked@example.org', 'pro');
      const made = await keys.make(account.id, { name: 'a' });
      const elsewhere = startKeys();
      expect(await elsewhere.authenticate(made?.secret ?? '')).not.toBeNull();
      await keys.revoke(made?.key.id ?? '');
      expect(await keys.authenticate(made?.secret ?? '')).toBeNull();
      nowMs += 10_001;
      expect(await elsewhere.authenticate(made?.secret ?? '')).toBeNull();
      const short = await keys.make(account.id, { name: 'b', expiresAt: new Date(nowMs + 1000) });
      expect(await keys.authenticate(short?.secret ?? '')).not.toBeNull();
      nowMs += 1000;
      expect(await keys.authenticate(short?.secret ?? '')).toBeNull();
      expect(await keys.revoke('key_nothing')).toBeUndefined();
      expect(await keys.make('acc_nobody', { name: 'c' })).toBeUndefined();
    });

    it('is refused beyond what the plan allows, also to concurrent callers; revoked and expired ones do not count', async () => {
      const { id } = await newAccount('many@example.org', 'starter');
      await keys.make(id, { name: 'expired', expiresAt: new Date(nowMs - 1) });
      const made = await Promise.allSettled(
        Array.from({ length: 12 }, (_, index) => keys.make(id, { name: `${index}` })),
      );
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
      await expect(keys.make(id, { name: 'x' })).rejects.toThrow(KeyError);
      const active = (await keys.list(id)).find(({ expiresAt }) => expiresAt === null);
      await keys.revoke(active?.id ?? '');
      expect(await keys.make(id, { name: 'x' })).toBeDefined();
    });

    it('is changed for a new one while the old one goes on, also where the plan allows one', async () => {
      const { id } = await newAccount('rotate@example.org');
      const old = await keys.make(id, { name: 'a', scopes: ['vectors'] });
      const next = await keys.rotate(old?.key.id ?? '', { overlapMs: 60_000 });
      expect(next?.key).toMatchObject({ name: 'a', scopes: ['vectors'], expiresAt: null });
      expect(await keys.authenticate(old?.secret ?? '')).not.toBeNull();
      await expect(keys.rotate(next?.key.id ?? '', { overlapMs: 60_000 })).rejects.toThrow(KeyError);
      nowMs += 60_000;
      expect(await keys.authenticate(old?.secret ?? '')).toBeNull();
      expect(await keys.authenticate(next?.secret ?? '')).not.toBeNull();
    });

    it('goes on with the limits of a key that is not used any more, so that making and revoking evades none', async () => {
      const { id } = await newAccount('churn@example.org', 'starter');
      const windowsOf = async (secret = '') => {
        const caller = await keys.authenticate(secret);
        return caller?.key.countsAs ?? caller?.key.id;
      };
      const made = await Promise.all(['a', 'b'].map(name => keys.make(id, { name })));
      const windows = await Promise.all(made.map(each => windowsOf(each?.secret)));
      expect(windows).toEqual(made.map(each => each?.key.id));
      await keys.revoke(made[0]?.key.id ?? '');
      const third = await keys.make(id, { name: 'c' });
      expect(await windowsOf(third?.secret)).toBe(windows[0]);
      // The windows of both are in use now.
      const fourth = await keys.make(id, { name: 'd' });
      expect(await windowsOf(fourth?.secret)).toBe(fourth?.key.id);
      const rotated = await keys.rotate(third?.key.id ?? '', { overlapMs: 60_000 });
      expect(await windowsOf(rotated?.secret)).toBe(windows[0]);
      await keys.revoke(third?.key.id ?? '');
      await keys.revoke(rotated?.key.id ?? '');
      expect(await windowsOf((await keys.make(id, { name: 'e' }))?.secret)).toBe(windows[0]);
    });

    it('is made by people so often an hour, and a list has the newest of those that are over', async () => {
      const { id } = await newAccount('often@example.org', 'starter');
      const first = await keys.make(id, { name: 'first' });
      for (let count = 0; count < 30; count++) {
        const made = await keys.make(id, { name: `${count}`, madeBy: 'ada' });
        await keys.revoke(made?.key.id ?? '');
      }
      await expect(keys.make(id, { name: 'x', madeBy: 'ada' })).rejects.toThrow(KeysTooFast);
      await expect(keys.rotate(first?.key.id ?? '', { overlapMs: 0, madeBy: 'ada' })).rejects.toThrow(KeysTooFast);
      expect(await keys.make(id, { name: 'the operator’s' })).toBeDefined();
      nowMs += 3_600_000;
      expect(await keys.make(id, { name: 'x', madeBy: 'ada' })).toBeDefined();
      await database.query(
        `INSERT INTO keys (id, account_id, hash, hint, name, admin, revoked_at)
         SELECT 'key_00' || n, $1, sha256(('often' || n)::bytea), '', 'old', false, now() FROM generate_series(1, 100) AS n`,
        [id],
      );
      const names = (await keys.list(id)).map(({ name }) => name);
      expect(names).toHaveLength(103);
      expect(names).toEqual(expect.arrayContaining(['first', 'x', '29', '0']));
      await accounts.patch(id, { plan: 'free' });
      await expect(keys.make(id, { name: 'y', madeBy: 'ada' })).rejects.toThrow(KeyError);
    });

    it('leaves what it has spent of the month’s budget to the key that takes its place', async () => {
      const { id } = await newAccount('budget@example.org');
      const old = await keys.make(id, { name: 'a', budgetPicodollars: 100n });
      await database.query(`UPDATE keys SET spent_month = $2::date, spent_picodollars = 90 WHERE id = $1`, [
        old?.key.id,
        `${new Date(nowMs).toISOString().slice(0, 7)}-01`,
      ]);
      const next = await keys.rotate(old?.key.id ?? '', { overlapMs: 0 });
      expect(next?.key).toMatchObject({ budgetPicodollars: 100n, spentPicodollars: 90n });
    });

    it("follows its account's plan and limits at once", async () => {
      const { id } = await newAccount('patched@example.org');
      const made = await keys.make(id, { name: 'a' });
      const minute = async () => (await keys.authenticate(made?.secret ?? ''))?.account.plan.vectors.minute;
      expect(await minute()).toBe(10);
      await accounts.patch(id, { plan: 'pro' });
      expect(await minute()).toBe(500);
      await accounts.patch(id, { limits: { vectors: { minute: 7 } }, defaultModel: 'mpnet_base' });
      expect(await minute()).toBe(7);
      expect((await accounts.patch(id, { limits: null }))?.defaultModel).toBe('mpnet_base');
      expect(await minute()).toBe(500);
      await expect(accounts.patch(id, { plan: 'gold' })).rejects.toMatchObject({ code: 'UNKNOWN_PLAN' });
      expect(await accounts.patch('acc_nobody', { plan: 'pro' })).toBeUndefined();
    });

    it('has one account an address, an opening balance as given, and credit that is booked', async () => {
      const account = await accounts.create({ email: 'money@example.org', plan: 'pro', creditPicodollars: 7n });
      expect(account.balancePicodollars).toBe(7n);
      await expect(newAccount(' MONEY@example.org')).rejects.toMatchObject({ code: 'EMAIL_TAKEN' });
      await expect(newAccount('x@example.org', 'gold')).rejects.toMatchObject({ code: 'UNKNOWN_PLAN' });
      expect((await accounts.credit(account.id, { amountPicodollars: 5n, note: 'thanks' }))?.balancePicodollars).toBe(
        12n,
      );
      await expect(accounts.credit(account.id, { amountPicodollars: 0n, note: '' })).rejects.toMatchObject({
        code: 'BAD_AMOUNT',
      });
      for (let index = 0; index < 9; index++)
        await accounts.credit(account.id, { amountPicodollars: 10n ** 18n, note: '' });
      await expect(accounts.credit(account.id, { amountPicodollars: 10n ** 18n, note: '' })).rejects.toMatchObject({
        code: 'BAD_AMOUNT',
      });
      expect(await accounts.credit('acc_nobody', { amountPicodollars: 5n, note: '' })).toBeUndefined();
      const signedUp = await accounts.create({ email: 'new@example.org', plan: 'free', signUp: true });
      expect(signedUp.balancePicodollars).toBe(usdToPicodollars(12));
      const all = await accounts.list({ limit: 1000 });
      expect((await accounts.list({ limit: 1000, after: all[2]?.id })).map(({ id }) => id)).toEqual(
        all.slice(3).map(({ id }) => id),
      );
    });

    it('has an administrator from the first start, whose key is made once or given', async () => {
      const parts = { accounts, keys, plans };
      const { made } = await ensureAdministrator(parts);
      const caller = await keys.authenticate(made ?? '');
      expect(caller).toMatchObject({
        key: { admin: true },
        account: { billed: false, plan: { vectors: { minute: null, hour: null } } },
      });
      expect(await ensureAdministrator(parts)).toMatchObject({ made: null });
      await expect(ensureAdministrator(parts, 'short')).rejects.toThrow('at least 16');
      const given = 'a-key-that-the-operator-chose';
      await Promise.all([
        ensureAdministrator(parts, given),
        ensureAdministrator({ ...parts, keys: startKeys() }, given),
      ]);
      expect((await keys.authenticate(given))?.key.admin).toBe(true);
      expect((await keys.authenticate(await makeAdminKey(parts, 'lost')))?.account.id).toBe(caller?.account.id);
      await keys.revoke((await keys.authenticate(given))?.key.id ?? '');
      await expect(ensureAdministrator(parts, given)).rejects.toThrow('was revoked');
    });
  });
}

// The administrator: an unlimited, unbilled account that the first start makes, and keys to it.
import { AccountError } from '../accounts/index.ts';
import type { Account, Accounts } from '../accounts/index.ts';
import type { Plans } from '../plans/index.ts';
import type { Keys } from './keys.ts';

export interface AdministratorOptions {
  accounts: Accounts;
  keys: Keys;
  plans: Plans;
}

export const administratorEmail = 'administrator@localhost';
const shortestKey = 16;

const unlimited = {
  vectors: { minute: null, hour: null },
  data: { minute: null, day: null },
  storage_bytes: null,
  jobs: null,
  max_keys: null,
};

/**
 * Makes the administrator's account when there is none, with the key given (VECTORIUM_ADMIN_KEY) or a random one, which is answered
 * for printing, this once. A key that is given later is added. Throws when the given key is too short to be safe.
 */
export async function ensureAdministrator(
  { accounts, keys, plans }: AdministratorOptions,
  adminKey?: string,
): Promise<{ made: string | null; account: Account }> {
  if (adminKey !== undefined && adminKey.length < shortestKey) {
    throw new Error(`The administrator's key must have at least ${shortestKey} characters`);
  }
  const existing = await accounts.byEmail(administratorEmail);
  const account = existing ?? (await createAccount(accounts, plans));
  if (adminKey !== undefined) {
    await addKey(keys, account.id, adminKey);
    return { made: null, account };
  }
  if (existing) return { made: null, account };
  return { made: await makeAdminKey({ accounts, keys, plans }, 'first start'), account };
}

/** Another administrator's key, for when it is lost. Whoever can open the data folder may have one. */
export async function makeAdminKey({ accounts, keys, plans }: AdministratorOptions, name: string): Promise<string> {
  const account = (await accounts.byEmail(administratorEmail)) ?? (await createAccount(accounts, plans));
  const made = await keys.make(account.id, { name, admin: true });
  if (!made) throw new Error("The administrator's account is gone");
  return made.secret;
}

async function addKey(keys: Keys, accountId: string, secret: string): Promise<void> {
  if (await isAdmin(keys, secret)) return;
  try {
    await keys.make(accountId, { name: 'VECTORIUM_ADMIN_KEY', admin: true, secret });
  } catch (error) {
    // Known already: another process that starts at the same time was first, or it isn't an administrator's any more.
    if (await isAdmin(keys, secret)) return;
    throw new Error("VECTORIUM_ADMIN_KEY was revoked, or is another account's key; choose another", { cause: error });
  }
}

async function isAdmin(keys: Keys, secret: string): Promise<boolean> {
  return (await keys.authenticate(secret))?.key.admin === true;
}

/** On the plan that allows the most texts in a request; everything else is unlimited. */
async function createAccount(accounts: Accounts, plans: Plans): Promise<Account> {
  const offered = plans.list().filter(({ retired }) => !retired);
  const [plan] = offered.toSorted((a, b) => b.vectors.batch - a.vectors.batch || b.tiers.length - a.tiers.length);
  if (!plan) throw new Error('There is no plan');
  try {
    return await accounts.create({ email: administratorEmail, plan: plan.name, limits: unlimited, billed: false });
  } catch (error) {
    // Another process that starts at the same time was first.
    const existing =
      error instanceof AccountError && error.code === 'EMAIL_TAKEN'
        ? await accounts.byEmail(administratorEmail)
        : undefined;
    if (!existing) throw error;
    return existing;
  }
}

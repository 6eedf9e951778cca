// Who is signed in, in which account and as what: read once, shared by all pages.
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { prefer, preferences, usePreferences } from '../preferences.ts';
import { type Answer, call } from './client.ts';
import { queries } from './queries.ts';

export type Session = Answer<'getSession'>;
export type Role = NonNullable<Session['role']>;

const read = {
  queryKey: ['getSession'],
  queryFn: async () => {
    const session = await call('getSession');
    // An account that the person no longer belongs to is forgotten.
    const { account } = preferences();
    if (account !== null && session.person && session.account_id !== account) prefer({ account: null });
    return session;
  },
  staleTime: 60_000,
};

/** For routes, before they show anything. */
export function loadSession(): Promise<Session> {
  return queries.ensureQueryData(read);
}

export function useSession(): Session {
  usePreferences();
  const { data } = useQuery(read) as UseQueryResult<Session>;
  if (!data) throw new Error('a page was shown before the session was known');
  return data;
}

/** Whether the person may do what takes this role in the account; who has an address to confirm only reads until then. */
export function useMay(least: Role): boolean {
  const order: readonly Role[] = ['viewer', 'member', 'owner'];
  const { role, must_confirm: readsOnly } = useSession();
  if (role === null || (readsOnly && least !== 'viewer')) return false;
  return order.indexOf(role) >= order.indexOf(least);
}

/** Looks at another account from now on. */
export async function switchAccount(id: string): Promise<void> {
  prefer({ account: id });
  queries.removeQueries({ predicate: query => query.queryKey[0] !== 'getSession' });
  await queries.invalidateQueries();
}

export async function reloadSession(): Promise<Session> {
  await queries.invalidateQueries({ queryKey: read.queryKey });
  return queries.fetchQuery(read);
}

export async function signOut(): Promise<void> {
  await call('signOut');
  prefer({ account: null });
  location.assign('/console/sign-in');
}

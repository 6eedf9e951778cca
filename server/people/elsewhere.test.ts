// Two server processes on one PostgreSQL: what one of them revokes, the other refuses at once.
import { expect, it, onTestFinished } from 'vitest';
import { createAccounts } from '../accounts/index.ts';
import { createAudit } from '../audit/index.ts';
import { createGroupCommit, openDatabase } from '../database/index.ts';
import { postgresqlPrograms, startDatabases } from '../database/testing.ts';
import { createKeys } from '../keys/index.ts';
import { createMailer } from '../mail/index.ts';
import { loadPlans } from '../plans/index.ts';
import { createPeople } from './people.ts';

/** A clock that stands still: nothing is forgotten because of its age. */
const now = () => Date.parse('2026-01-31T12:00:00Z');

it.skipIf(!postgresqlPrograms())('a key and a session that end in one process end in the other', async () => {
  const databases = await startDatabases('postgresql');
  if (!databases) throw new Error('no server');
  onTestFinished(() => databases.stop());
  const place = await databases.place();
  const process = async () => {
    const database = await openDatabase(place);
    onTestFinished(() => database.close());
    const plans = await loadPlans('/nowhere');
    const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
    const keys = createKeys({ database, plans, accounts, commit: createGroupCommit(database), now });
    const people = await createPeople({
      database,
      accounts,
      keys,
      plans,
      audit: createAudit({ database, retentionDays: 1 }),
      mailer: await createMailer({ smtpUrl: undefined, from: '' }),
      signUp: 'open',
      publicUrl: 'http://127.0.0.1',
      ownUrl: () => 'http://127.0.0.1',
    });
    return { accounts, keys, people, database };
  };
  const [here, there] = [await process(), await process()];
  const account = await here.accounts.create({ email: 'one@example.com', plan: 'starter' });
  const made = await here.keys.make(account.id, { name: 'k' });
  await expect.poll(() => there.keys.authenticate(made?.secret ?? '')).not.toBeNull();
  await here.keys.revoke(made?.key.id ?? '');
  await expect.poll(() => there.keys.authenticate(made?.secret ?? ''), { timeout: 1000, interval: 20 }).toBeNull();

  const { headers } = await (
    await here.people.auth()
  ).api.signUpEmail({
    body: { name: 'Ada', email: 'ada@example.com', password: 'correct horse battery' },
    returnHeaders: true,
  });
  const token = /session_token=([^.;]+)/.exec(headers.get('set-cookie') ?? '')?.[1] ?? '';
  const caller = await there.people.sessions.authenticate(token, undefined);
  if (!caller?.account) throw new Error('not signed in');
  await here.people.members.setRole(caller.account.id, caller.person.id, 'owner');
  await here.database.query('DELETE FROM sessions');
  await here.database.announce('callers');
  await expect
    .poll(() => there.people.sessions.authenticate(token, undefined), { timeout: 1000, interval: 20 })
    .toBeNull();
});

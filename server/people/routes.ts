// The console's routes about people: who is signed in, members and invitations.
import { type AnswerOf, routes } from '@vectorium/contract';
import { ApiError, type App, type SessionCaller, mount, sessionTokenOf } from '../http/index.ts';
import { byAddress, countAttempts } from './attempts.ts';
import { callAuth, mountAuthRoutes } from './auth-routes.ts';
import { invitationMail } from './mails.ts';
import type { Invitation, Member } from './members.ts';
import type { People } from './people.ts';

const done = { done: true } as const;
const day = 86_400;
type ShownPerson = AnswerOf<typeof routes.changePerson>;

export function mountPeopleRoutes(
  app: App,
  people: People,
  { version, payments }: { version: string; payments: boolean },
): void {
  mountAuthRoutes(app, people);
  mountSessionRoutes(app, people, { version, payments });
  mountMemberRoutes(app, people);
}

function mountSessionRoutes(
  app: App,
  people: People,
  { version, payments }: { version: string; payments: boolean },
): void {
  const { database, members, sessions, audit } = people;

  mount(app, routes.getSession, async ({ reply, headers }) => {
    const token = sessionTokenOf(reply.request);
    // Renews a session that is getting old; the cookie goes with the answer.
    if (token !== '') {
      await callAuth(people.auth, reply, { path: '/get-session' }).catch((error: unknown) => {
        // The session lasts as long as it did; the next page tries again.
        reply.request.log.error({ err: error }, 'people.session_not_renewed');
      });
    }
    const accountId = headers['x-vectorium-account']?.toString();
    const caller = token === '' ? null : await sessions.authenticate(token, accountId);
    const person = caller === null ? null : await shownPerson(caller.person.id);
    const operator = caller?.key?.admin ?? false;
    const mustConfirm = caller?.person.mustConfirm ?? false;
    return {
      person,
      accounts: person ? await members.accountsOf(person.id) : [],
      account_id: caller?.account?.id ?? null,
      role: caller?.person.role ?? null,
      operator,
      must_confirm: mustConfirm,
      may_add_account: person !== null && !mustConfirm && (operator || people.signUp !== 'closed'),
      sign_up: people.signUp,
      sign_in: { oidc: people.oidc && { name: people.oidc.name } },
      mail: people.mailer.sends,
      payments,
      version,
    };
  });

  mount(app, routes.changePerson, async ({ caller, body }) => {
    await database.query(
      `UPDATE people SET name = coalesce($2, name), language = coalesce($3, language), updated_at = $4 WHERE id = $1`,
      [caller.person.id, body.name ?? null, body.language ?? null, new Date()],
    );
    await database.announce('callers');
    const [row] = await database.query(`${personSelect} WHERE p.id = $1`, [caller.person.id]);
    return personFrom(row);
  });

  mount(app, routes.createOwnAccount, async ({ caller: { person, key }, body: { name }, reply }) => {
    if (person.mustConfirm)
      throw new ApiError('EMAIL_NOT_CONFIRMED', { message: `Confirm your e-mail address first: ${person.email}` });
    if (people.signUp === 'closed' && !key?.admin)
      throw new ApiError('SIGN_UP_NOT_ALLOWED', { message: 'No accounts can be made on this server' });
    const made = await members.add(person, name);
    await audit.write({
      action: 'account.made',
      target: made.id,
      accountId: made.id,
      personId: person.id,
      address: reply.request.ip,
    });
    return made;
  });

  mount(app, routes.listSessions, async ({ caller }) => {
    const rows = await database.query(
      `SELECT * FROM sessions WHERE person_id = $1 AND expires_at > $2::timestamptz ORDER BY created_at DESC`,
      [caller.person.id, new Date()],
    );
    return {
      data: rows.map(row => ({
        id: String(row['id']),
        current: row['id'] === caller.person.sessionId,
        address: row['address'] as string | null,
        user_agent: row['user_agent'] as string | null,
        created_at: (row['created_at'] as Date).toISOString(),
        expires_at: (row['expires_at'] as Date).toISOString(),
      })),
    };
  });

  mount(app, routes.endSession, async ({ caller, params: { id } }) => {
    const others = id === 'others';
    const rows = await database.query(
      `DELETE FROM sessions WHERE person_id = $1 AND CASE WHEN $3 THEN id <> $2 ELSE id = $2 END RETURNING id`,
      [caller.person.id, others ? caller.person.sessionId : id, others],
    );
    if (rows.length === 0 && !others) throw new ApiError('NOT_FOUND', { message: `You have no session ${id}` });
    await database.announce('callers');
    return done;
  });

  async function shownPerson(id: string): Promise<ShownPerson | null> {
    const [row] = await database.query(`${personSelect} WHERE p.id = $1`, [id]);
    return row ? personFrom(row) : null;
  }
}

function mountMemberRoutes(app: App, people: People): void {
  const { members, audit } = people;
  const note = (
    caller: SessionCaller,
    action: string,
    target: string,
    details: Record<string, unknown>,
    address: string,
  ) => audit.write({ action, target, accountId: caller.account.id, personId: caller.person.id, details, address });

  mount(app, routes.listMembers, async ({ caller }) => ({
    data: (await members.list(caller.account.id)).map(each => shownMember(each, caller)),
  }));

  mount(app, routes.changeMember, async ({ caller, params: { id }, body: { role }, reply }) => {
    const changed = await members.setRole(caller.account.id, id, role);
    if (!changed) throw noMember(id);
    await note(caller, 'member.changed', id, { email: changed.email, role }, reply.request.ip);
    return shownMember(changed, caller);
  });

  mount(app, routes.removeMember, async ({ caller, params: { id }, reply }) => {
    if (id !== caller.person.id && caller.person.role !== 'owner')
      throw new ApiError('ROLE_NOT_ALLOWED', { message: 'Only an owner takes others out of the account' });
    if (!(await members.remove(caller.account.id, id))) throw noMember(id);
    await note(caller, id === caller.person.id ? 'member.left' : 'member.removed', id, {}, reply.request.ip);
    return done;
  });

  mount(app, routes.listInvitations, async ({ caller }) => ({
    data: (await members.invitations(caller.account.id)).map(shownInvitation),
  }));

  mount(app, routes.createInvitation, async ({ caller, body: { email, role }, reply }) => {
    const { account, person } = caller;
    // Each is a mail to somebody who didn't ask for it.
    await countAttempts(people.attempts, [
      byAddress(reply.request, { name: 'invite', most: 100, windowSeconds: day }),
      { name: 'invite/account', subject: account.id, most: 50, windowSeconds: day },
      { name: 'invite/email', subject: email, most: 5, windowSeconds: day },
    ]);
    const { invitation, token, mailToken } = await members.invite({
      accountId: account.id,
      email,
      role,
      invitedBy: person.id,
    });
    const link = people.link('/console/invitation', token);
    const mailed = await people.tell(
      invitationMail({
        email,
        account: account.name,
        by: person.name,
        link: people.link('/console/invitation', mailToken),
        language: await languageOf(people, person.id),
      }),
    );
    await note(caller, 'member.invited', email, { role }, reply.request.ip);
    return { invitation: shownInvitation(invitation), link, mailed };
  });

  mount(app, routes.revokeInvitation, async ({ caller, params: { id }, reply }) => {
    if (!(await members.uninvite(caller.account.id, id)))
      throw new ApiError('NOT_FOUND', { message: `There is no invitation ${id}` });
    await note(caller, 'invitation.revoked', id, {}, reply.request.ip);
    return done;
  });

  mount(app, routes.readInvitation, async ({ body: { token } }) => {
    const found = await members.invitation(token);
    if (!found) throw new ApiError('NOT_FOUND', { message: 'The invitation is unknown, used or too old' });
    const known =
      found.email !== null &&
      (await people.database.query('SELECT 1 FROM people WHERE email = $1', [found.email])).length > 0;
    return {
      email: found.email,
      account: found.accountName,
      role: found.role,
      known,
      expires_at: found.expiresAt.toISOString(),
    };
  });

  mount(app, routes.acceptInvitation, async ({ caller: { person }, body: { token }, reply }) => {
    const accountId = await members.accept(token, person);
    await audit.write({
      action: 'member.joined',
      target: person.id,
      accountId,
      personId: person.id,
      address: reply.request.ip,
    });
    return { account_id: accountId };
  });
}

const personSelect = `
  SELECT p.*, EXISTS (SELECT 1 FROM credentials c WHERE c.person_id = p.id AND c.password IS NOT NULL) AS has_password,
    (SELECT c.email FROM confirmations c WHERE c.person_id = p.id AND c.email <> p.email AND c.expires_at > now()) AS new_email
  FROM people p`;

function personFrom(row: Record<string, unknown> | undefined): ShownPerson {
  if (!row) throw new Error('The person is gone');
  return {
    id: String(row['id']),
    name: String(row['name']),
    email: String(row['email']),
    email_verified: row['email_verified'] === true,
    new_email: row['new_email'] as string | null,
    language: row['language'] === 'tr' ? 'tr' : 'en',
    has_password: row['has_password'] === true,
    created_at: (row['created_at'] as Date).toISOString(),
  };
}

async function languageOf({ database }: People, personId: string): Promise<string> {
  const [row] = await database.query('SELECT language FROM people WHERE id = $1', [personId]);
  return String(row?.['language'] ?? 'en');
}

function shownMember(member: Member, caller: SessionCaller): AnswerOf<typeof routes.changeMember> {
  return {
    person_id: member.personId,
    name: member.name,
    email: member.email,
    role: member.role,
    you: member.personId === caller.person.id,
    since: member.since.toISOString(),
    last_seen_at: member.lastSeenAt?.toISOString() ?? null,
  };
}

export function shownInvitation(invitation: Invitation): AnswerOf<typeof routes.listInvitations>['data'][number] {
  return {
    id: invitation.id,
    email: invitation.email ?? '',
    role: invitation.role,
    created_at: invitation.createdAt.toISOString(),
    expires_at: invitation.expiresAt.toISOString(),
  };
}

function noMember(id: string): ApiError {
  return new ApiError('NOT_FOUND', { message: `The account has no member ${id}` });
}

// People: built from what is beside them. Sign-up is open, by invitation, or closed, and the first administrator comes by a link that the
// first start prints.
import { randomBytes } from 'node:crypto';
import type { Account, Accounts } from '../accounts/index.ts';
import type { Audit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type Sessions } from '../http/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Mail, Mailer } from '../mail/index.ts';
import type { Plans } from '../plans/index.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import type { Auth, AuthOptions, OidcSettings, SignUpCheck } from './auth.ts';
import { type Confirmations, createConfirmations } from './confirmations.ts';
import { createIssuerCheck } from './issuer.ts';
import { confirmationMail, resetMail } from './mails.ts';
import { type Members, createMembers, unknownInvitation } from './members.ts';
import { createSessions } from './sessions.ts';

export const signUpModes = ['open', 'invitation', 'closed'] as const;
export type SignUpMode = (typeof signUpModes)[number];

export interface PeopleOptions {
  database: Database;
  accounts: Accounts;
  keys: Keys;
  plans: Plans;
  audit: Audit;
  mailer: Mailer;
  signUp: SignUpMode;
  oidc?: OidcSettings | undefined;
  publicUrl?: string | undefined;
  /** Where the server listens, for links when nobody said where browsers find it. */
  ownUrl: () => string;
  log?: (event: string, fields: object) => void;
}

export interface People {
  /** Loaded when it is first asked for. */
  auth(): Promise<Auth>;
  sessions: Sessions;
  members: Members;
  confirmations: Confirmations;
  attempts: Attempts;
  signUp: SignUpMode;
  /** `check` throws when the provider isn't there, or isn't the one that is meant. */
  oidc: { name: string; check(): Promise<void> } | null;
  mailer: Mailer;
  audit: Audit;
  database: Database;
  /** A page of the console, with a secret in its fragment or none. */
  link(page: string, token?: string): string;
  /** Whether the mail went out; without mail, or when that failed, the log has a line. */
  tell(mail: Mail): Promise<boolean>;
  /** Sends a person the link that confirms an address, of now or to be; false when the mail server doesn't take it. */
  sendConfirmation(person: { id: string; name: string; language: string }, email: string): Promise<boolean>;
  /** Links by which the person would choose a new password: there is one, which they must not undo. */
  dropResetLinks(personId: string): Promise<void>;
  /** A link by which a person chooses a new password, for whoever may hand it over. */
  resetLink(personId: string): Promise<{ link: string; expiresAt: Date } | null>;
  /** Resolves when no mail is under way any more. */
  close(): Promise<void>;
  /** A link for the first administrator, while the administrator's account has no people and no such link is open. */
  firstLink(administrator: Account): Promise<string | null>;
}

export async function createPeople(options: PeopleOptions): Promise<People> {
  const { database, accounts, keys, plans, audit, mailer, signUp, oidc, publicUrl, ownUrl, log = () => {} } = options;
  const confirmations = createConfirmations(database);
  const members = createMembers({
    database,
    accounts,
    plans,
    confirmations,
    invitedOnly: signUp !== 'open',
  });
  const attempts = createAttempts(database);
  const link = (page: string, token?: string): string =>
    `${publicUrl ?? ownUrl()}${page}${token === undefined ? '' : `#token=${token}`}`;

  async function tell(mail: Mail): Promise<boolean> {
    if (!mailer.sends) return false;
    return mailer.send(mail).then(
      () => true,
      (error: unknown) => {
        log('people.mail_failed', { to: mail.to, message: error instanceof Error ? error.message : String(error) });
        return false;
      },
    );
  }

  const underWay = new Set<Promise<boolean>>();

  /** Nobody waits for the mail server who could learn from the time that it takes whether there was a mail. */
  function inBackground(sending: Promise<boolean>): void {
    const ended = sending.catch((error: unknown) => {
      log('people.mail_failed', { message: error instanceof Error ? error.message : String(error) });
      return false;
    });
    underWay.add(ended);
    void ended.then(() => underWay.delete(ended));
  }

  async function sendConfirmation(person: { id: string; name: string; language: string }, email: string) {
    const token = await confirmations.make(person.id, email);
    return tell(confirmationMail({ ...person, email }, link('/console/confirm', token)));
  }

  async function checkSignUp({ email, invitation: token, vouched }: SignUpCheck): Promise<void> {
    const byAddress = token === undefined && vouched ? await members.invitationOf(email) : null;
    const invitation = token === undefined ? byAddress : await members.invitation(token);
    if (token !== undefined && !invitation) throw unknownInvitation();
    if (invitation && invitation.email !== null && invitation.email !== email)
      throw new ApiError('NOT_FOUND', { message: 'The invitation is for another e-mail address' });
    if (!invitation && signUp === 'closed')
      throw new ApiError('SIGN_UP_NOT_ALLOWED', { message: 'Nobody can sign up on this server' });
    if (!invitation && signUp === 'invitation')
      throw new ApiError('SIGN_UP_NOT_ALLOWED', { message: 'An invitation is needed to sign up on this server' });
    if (!invitation?.accountId && (await accounts.byEmail(email)))
      throw new ApiError('CONFLICT', {
        message: `There is an account for ${email} already; ask its owner or the operator for an invitation`,
      });
  }

  async function dropResetLinks(personId: string): Promise<void> {
    await database.query('DELETE FROM verifications WHERE value = $1', [personId]);
  }

  const authOptions: AuthOptions = {
    database,
    secret: await sharedSecret(database, 'sessions'),
    publicUrl,
    members,
    checkSignUp,
    dropResetLinks,
    oidc,
    log,
    async entered(personId) {
      if (!mailer.sends) return;
      const [person] = await database.query<{ id: string; name: string; email: string; language: string }>(
        'SELECT id, name, email, language FROM people WHERE id = $1 AND NOT email_verified',
        [personId],
      );
      if (!person || (await confirmations.open(personId)) !== null) return;
      inBackground(sendConfirmation(person, person.email));
    },
    async sendReset(person, token) {
      const address = link('/console/reset-password', token);
      if (mailer.sends) inBackground(tell(resetMail(person, address)));
      // Without mail, the operator hands it over: the one secret that the log may have, good for an hour.
      else log('people.reset_link', { email: person.email, link: address });
    },
  };
  let loaded: Promise<Auth> | undefined;
  const auth = (): Promise<Auth> => (loaded ??= import('./auth.ts').then(({ createAuth }) => createAuth(authOptions)));

  return {
    auth,
    sessions: createSessions({ database, keys, plans, confirms: mailer.sends }),
    members,
    confirmations,
    attempts,
    signUp,
    oidc: oidc ? { name: oidc.name, check: createIssuerCheck(oidc, log) } : null,
    mailer,
    audit,
    database,
    link,
    tell,
    sendConfirmation,
    dropResetLinks,

    async resetLink(personId) {
      const rows = await database.query('SELECT 1 FROM people WHERE id = $1', [personId]);
      if (rows.length === 0) return null;
      const token = `${handedOver}${randomBytes(18).toString('base64url')}`;
      const expiresAt = new Date(Date.now() + 86_400_000);
      const { internalAdapter } = await (await auth()).$context;
      await internalAdapter.createVerificationValue({
        value: personId,
        identifier: `reset-password:${token}`,
        expiresAt,
      });
      return { link: link('/console/reset-password', token), expiresAt };
    },

    async close() {
      await Promise.all(underWay);
    },

    async firstLink({ id: accountId }) {
      const [row] = await database.query<{ people: boolean; open: boolean }>(
        `SELECT EXISTS (SELECT 1 FROM members WHERE account_id = $1) AS people,
           EXISTS (SELECT 1 FROM invitations WHERE account_id = $1 AND email IS NULL AND expires_at > $2::timestamptz) AS open`,
        [accountId, new Date()],
      );
      if (row?.people || row?.open) return null;
      return link(
        '/console/invitation',
        (await members.invite({ accountId, email: null, role: 'owner', invitedBy: null })).token,
      );
    },
  };
}

/** Begins the tokens of reset links that people hand over: who has one need not have the address. */
export const handedOver = 'handed-over.';

/** Made once by whichever process is first, and the same for all. */
async function sharedSecret(database: Database, name: string): Promise<string> {
  await database.query('INSERT INTO server_secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [
    name,
    randomBytes(32).toString('base64url'),
  ]);
  const [row] = await database.query('SELECT secret FROM server_secrets WHERE name = $1', [name]);
  if (!row) throw new Error('The database gave no row back');
  return String(row['secret']);
}

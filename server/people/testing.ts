// A server of the framework with people on it, and browsers that keep their cookies.
import type { Mail, Mailer } from '../mail/index.ts';
import { createAudit } from '../audit/index.ts';
import type { App, AppOptions } from '../http/index.ts';
import { type TestParts, type TestServer, openParts, startServer } from '../http/testing.ts';
import { ensureAdministrator } from '../keys/index.ts';
import { type People, type PeopleOptions, createPeople } from './people.ts';
import { mountPeopleRoutes } from './routes.ts';

export interface TestPeople {
  parts: TestParts;
  people: People;
  server: TestServer;
  /** What the server would have sent. */
  mails: Mail[];
  /** Events of the log, as `people` writes them. */
  log: { event: string; fields: object }[];
  /** The link for the first administrator. */
  firstLink: string;
  browser(): Browser;
  /** A browser in which somebody has signed up. */
  signedUp(name: string, more?: object): Promise<Browser & { accountId: string; personId: string }>;
  close(): Promise<void>;
}

export interface Browser {
  cookie: string;
  /** JSON in and out, with the cookie and, where a browser sends it, the Origin. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

export const password = 'correct horse battery';

export async function openPeople(
  mountMore: (app: App, parts: TestParts, people: People) => void | Promise<void> = () => {},
  { sendsMail = false, ...options }: Partial<PeopleOptions> & { sendsMail?: boolean; app?: Partial<AppOptions> } = {},
): Promise<TestPeople> {
  const parts = await openParts();
  const mails: Mail[] = [];
  const log: TestPeople['log'] = [];
  const mailer: Mailer = { sends: sendsMail, send: async mail => void mails.push(mail), close() {} };
  let server: TestServer | undefined;
  const { accounts, keys, plans, database } = parts;
  const { account } = await ensureAdministrator({ accounts, keys, plans });
  const people = await createPeople({
    ...parts,
    audit: createAudit({ database, retentionDays: 365 }),
    mailer,
    signUp: 'open',
    ownUrl: () => server?.url ?? '',
    log: (event, fields) => void log.push({ event, fields }),
    ...options,
  });
  const started = await startServer(
    parts,
    app => {
      mountPeopleRoutes(app, people, { version: '1.2.3', payments: false });
      return mountMore(app, parts, people);
    },
    { sessions: people.sessions, ...options.app },
  );
  server = started;
  const firstLink = (await people.firstLink(account)) ?? '';

  function browser(): Browser {
    const it: Browser = {
      cookie: '',
      async call(method, path, body, headers = {}) {
        const response = await fetch(started.url + path, {
          method,
          redirect: 'manual',
          headers: {
            ...(it.cookie !== '' && { cookie: it.cookie }),
            ...(method !== 'GET' && { origin: started.url }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        for (const cookie of response.headers.getSetCookie()) {
          const [pair = ''] = cookie.split(';', 1);
          if (pair.startsWith('vectorium.session_token=')) it.cookie = /Max-Age=0/i.test(cookie) ? '' : pair;
        }
        const text = await response.text();
        const json = response.headers.get('content-type')?.startsWith('application/json');
        return {
          status: response.status,
          body: json ? (JSON.parse(text) as Record<string, unknown>) : { text },
          headers: response.headers,
        };
      },
    };
    return it;
  }

  return {
    parts,
    people,
    server: started,
    mails,
    log,
    firstLink,
    browser,
    async signedUp(name, more = {}) {
      const it = browser();
      const email = `${name}@example.com`;
      // A test file has more people than one place may bring.
      await people.attempts.forget({ name: 'address/sign-up', subject: '127.0.0.1' });
      const answer = await it.call('POST', '/console/auth/sign-up/email', { name, email, password, ...more });
      if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
      const { body } = await it.call('GET', '/console/api/session');
      const { id } = body['person'] as { id: string };
      return Object.assign(it, { accountId: String(body['account_id']), personId: id });
    },
    async close() {
      await started.close();
      await people.close();
      await parts.close();
    },
  };
}

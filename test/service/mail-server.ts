// A real SMTP server on a free port, with STARTTLS and a password, that keeps what it is given as people would read it.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import tls from 'node:tls';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export interface MailServer {
  /** With user and password. */
  url: string;
  /** Of mails, in the order in which they came. */
  mails: ReceivedMail[];
  /** Who has signed in, over TLS or not. */
  logins: { user: string; secure: boolean }[];
  /** The newest mail to an address whose subject fits; waits for it. */
  mailTo(address: string, subject: RegExp): Promise<ReceivedMail>;
  close(): Promise<void>;
}

export interface ReceivedMail {
  to: string;
  from: string;
  subject: string;
  text: string;
  /** What its one link leads to. */
  link: URL;
  /** In the link's fragment. */
  token: string;
}

export const mailPassword = 'a password of the mail server';

/** This process trusts the server's certificate from here on. */
export async function startMailServer({ knowsTls = true }: { knowsTls?: boolean } = {}): Promise<MailServer> {
  // Made by `openssl req -x509 -newkey ec … -addext subjectAltName=IP:127.0.0.1`.
  const pem = await readFile(new URL('fixtures/localhost.pem', import.meta.url), 'utf8');
  tls.setDefaultCACertificates([...tls.getCACertificates('bundled'), pem.slice(pem.indexOf('-----BEGIN CERTIFICATE'))]);
  const mails: ReceivedMail[] = [];
  const logins: MailServer['logins'] = [];
  const server = new SMTPServer({
    key: pem,
    cert: pem,
    ...(!knowsTls && { disabledCommands: ['STARTTLS'], allowInsecureAuth: true }),
    onAuth({ username = '', password }, session, done) {
      logins.push({ user: username, secure: session.secure });
      if (username === 'vectorium' && password === mailPassword) done(null, { user: username });
      else done(new Error('Wrong user or password'));
    },
    onData(stream, _session, done) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => void pieces.push(piece));
      stream.on('end', async () => {
        mails.push(received(await PostalMime.parse(Buffer.concat(pieces))));
        done();
      });
    },
  });
  // What a client breaks off is its own affair.
  server.on('error', () => {});
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `smtp://vectorium:${encodeURIComponent(mailPassword)}@127.0.0.1:${address.port}`,
    mails,
    logins,
    async mailTo(to, subject) {
      for (const deadlineMs = Date.now() + 20_000; ;) {
        const found = mails.findLast(mail => mail.to === to && subject.test(mail.subject));
        if (found) return found;
        if (Date.now() > deadlineMs)
          throw new Error(`no mail ${subject} to ${to}, but ${mails.map(mail => `${mail.subject} to ${mail.to}`)}`);
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    },
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
}

function received({ to, from, subject, text }: Email): ReceivedMail {
  const link = URL.parse(/https?:\/\/\S+/.exec(text ?? '')?.[0] ?? '') ?? new URL('about:blank');
  return {
    to: to?.[0]?.address ?? '',
    from: from?.address ?? '',
    subject: subject ?? '',
    text: text ?? '',
    link,
    token: new URLSearchParams(link.hash.slice(1)).get('token') ?? '',
  };
}

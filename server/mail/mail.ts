// Mail to people: through SMTP when the operator has set it up, else a line in the log that the operator can act on.

export interface Mail {
  to: string;
  subject: string;
  /** Plain text, with links on lines of their own. */
  text: string;
}

export interface Mailer {
  /** Whether mail goes out. */
  readonly sends: boolean;
  /** Throws when the mail server doesn't take it. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

export interface MailerOptions {
  /** `smtp://user:password@host:587` or `smtps://…`; absent: no mail is sent. Further options of nodemailer may follow as a query. */
  smtpUrl: string | undefined;
  /** `Vectorium <vectorium@example.com>` */
  from: string;
}

const timeoutMs = 20_000;

/** Throws for an address that is no SMTP address. */
export async function createMailer({ smtpUrl, from }: MailerOptions): Promise<Mailer> {
  if (smtpUrl === undefined) {
    return {
      sends: false,
      send: () => Promise.reject(new Error('SMTP_URL is not set')),
      close() {},
    };
  }
  if (!/^smtps?:\/\//.test(smtpUrl)) throw new Error('SMTP_URL must begin with smtp:// or smtps://');
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    // A password, and links that are as good as one, go over TLS or not at all; `?requireTLS=false` is for a relay that knows none.
    requireTLS: (URL.parse(smtpUrl)?.username ?? '') !== '',
    url: smtpUrl,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  return {
    sends: true,
    async send(mail) {
      await transport.sendMail({ from, ...mail });
    },
    close: () => transport.close(),
  };
}

// What an operator may set, read from environment variables; docs/configuration.md is the table for people.
import { join, resolve } from 'node:path';
import { type WebhookTargets, webhookTargets } from './jobs/index.ts';
import { type OidcSettings, type SignUpMode, signUpModes } from './people/index.ts';

export interface Settings {
  host: string;
  port: number;
  dataFolder: string;
  modelsFolder: string;
  /** PostgreSQL instead of the embedded database. */
  databaseUrl: string | undefined;
  adminKey: string | undefined;
  corsOrigins: string[] | undefined;
  trustProxy: boolean | string | undefined;
  /** Where browsers find the server, for links and for what a proxy in front doesn't tell. */
  publicUrl: string | undefined;
  /** What the console's build has made; without it the server's first page is the reference. */
  consoleFolder: string;
  people: { signUp: SignUpMode; oidc: OidcSettings | undefined };
  /** `host`, which no variable sets, is where a stand-in for Stripe's API listens. */
  payments:
    | { secretKey: string; webhookSecret: string; host?: { host: string; port: number; protocol: 'http' } }
    | undefined;
  /** Name and address of the operator's business, line by line, on invoices. */
  invoiceFrom: string[];
  mail: { smtpUrl: string | undefined; from: string };
  /** Days that entries of the audit log are kept. */
  auditRetentionDays: number;
  logLevel: string;
  hubEndpoint: string | undefined;
  hubToken: string | undefined;
  python: string | undefined;
  s3: { endpoint: string | undefined; region: string | undefined };
  /** Jobs that run at once in this process. */
  jobs: number;
  /** Days that jobs are kept after their end. */
  jobRetentionDays: number;
  /** Which addresses webhooks may have. */
  webhookTargets: WebhookTargets;
  /** Files in S3 instead of the data folder; `stagedBytes` bounds their local copies. */
  files: { s3Url: string | undefined; stagedBytes: number };
  engine: { workers?: number; memoryBudgetBytes?: number; idleUnloadMs?: number };
  /** Cores and memory of one training; without them all cores and half of the memory. Its state is kept so often. */
  training: { threads?: number; memoryBytes?: number; checkpointSeconds: number };
  /** How long requests in flight have after SIGTERM. */
  stopSeconds: number;
  /** Days that single usage rows are kept; daily sums stay. */
  usageRetentionDays: number;
  /** The model fetched and loaded at the start, so that the first request finds it; `none` for none. */
  preload: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws an Error that names the variable when one can't be read. */
export function readSettings(environment: Environment): Settings {
  const text = (name: string) => environment[name]?.trim() || undefined;
  const number = (name: string, fallback: number, [least, most]: [number, number]): number => {
    const given = text(name);
    if (given === undefined) return fallback;
    const value = Number(given);
    if (!Number.isFinite(value) || value < least || value > most)
      throw new Error(`${name} is "${given}"; it must be a number from ${least} to ${most}`);
    return value;
  };
  const optional = (name: string, range: [number, number]) =>
    text(name) === undefined ? undefined : number(name, 0, range);
  /** The first is the default. */
  const oneOf = <Choice extends string>(name: string, choices: readonly [Choice, ...Choice[]]): Choice => {
    const given = text(name) ?? choices[0];
    const choice = choices.find(each => each === given);
    if (choice === undefined) throw new Error(`${name} is "${given}"; it must be one of ${choices.join(', ')}`);
    return choice;
  };

  const dataFolder = resolve(text('VECTORIUM_DATA') ?? './data');
  const workers = optional('VECTORIUM_WORKERS', [1, 1024]);
  const memoryGb = optional('VECTORIUM_MEMORY_GB', [0.1, 1e6]);
  const trainingThreads = optional('VECTORIUM_TRAINING_THREADS', [1, 1024]);
  const trainingMemoryGb = optional('VECTORIUM_TRAINING_MEMORY_GB', [0.1, 1e6]);
  const idleMinutes = optional('VECTORIUM_IDLE_UNLOAD_MINUTES', [0.1, 1e6]);
  return {
    host: text('HOST') ?? '127.0.0.1',
    port: number('PORT', 8080, [0, 65_535]),
    dataFolder,
    modelsFolder: resolve(text('VECTORIUM_MODELS') ?? `${dataFolder}/models`),
    databaseUrl: text('DATABASE_URL'),
    adminKey: text('VECTORIUM_ADMIN_KEY'),
    corsOrigins: text('VECTORIUM_CORS_ORIGINS')?.split(/[\s,]+/),
    trustProxy: proxies(text('VECTORIUM_TRUST_PROXY')),
    publicUrl: origin('VECTORIUM_PUBLIC_URL', text('VECTORIUM_PUBLIC_URL')),
    consoleFolder: join(import.meta.dirname, '..', 'console', 'dist'),
    people: { signUp: oneOf('VECTORIUM_SIGN_UP', signUpModes), oidc: oidc(text) },
    payments: stripe(text),
    invoiceFrom: (text('VECTORIUM_INVOICE_FROM') ?? '').split(/\\n|\n/).filter(line => line.trim() !== ''),
    mail: { smtpUrl: text('SMTP_URL'), from: text('VECTORIUM_MAIL_FROM') ?? 'Vectorium <vectorium@localhost>' },
    auditRetentionDays: number('VECTORIUM_AUDIT_DAYS', 365, [1, 36_500]),
    logLevel: text('VECTORIUM_LOG_LEVEL') ?? 'info',
    hubEndpoint: text('HF_ENDPOINT'),
    hubToken: text('HF_TOKEN'),
    python: text('VECTORIUM_PYTHON'),
    s3: { endpoint: text('AWS_ENDPOINT_URL'), region: text('AWS_REGION') },
    jobs: number('VECTORIUM_JOBS', 3, [1, 64]),
    jobRetentionDays: number('VECTORIUM_JOB_DAYS', 30, [1, 36_500]),
    webhookTargets: oneOf('VECTORIUM_WEBHOOKS', webhookTargets),
    files: { s3Url: text('S3_URL'), stagedBytes: 1e9 * number('VECTORIUM_STAGED_GB', 20, [0, 1e6]) },
    engine: {
      ...(workers !== undefined && { workers }),
      ...(memoryGb !== undefined && { memoryBudgetBytes: memoryGb * 1e9 }),
      ...(idleMinutes !== undefined && { idleUnloadMs: idleMinutes * 60_000 }),
    },
    training: {
      ...(trainingThreads !== undefined && { threads: trainingThreads }),
      ...(trainingMemoryGb !== undefined && { memoryBytes: trainingMemoryGb * 1e9 }),
      checkpointSeconds: number('VECTORIUM_TRAINING_CHECKPOINT_SECONDS', 30, [0, 3600]),
    },
    stopSeconds: number('VECTORIUM_STOP_SECONDS', 120, [0, 86_400]),
    usageRetentionDays: number('VECTORIUM_USAGE_DAYS', 90, [1, 36_500]),
    preload: text('VECTORIUM_PRELOAD'),
  };
}

function proxies(given: string | undefined): boolean | string | undefined {
  if (given === undefined || given === 'false') return undefined;
  return given === 'true' ? true : given;
}

function origin(name: string, given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const url = URL.parse(given);
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/')
    throw new Error(`${name} is "${given}"; it must be an address such as https://vectorium.example.com`);
  return url.origin;
}

function oidc(text: (name: string) => string | undefined): OidcSettings | undefined {
  const issuer = text('OIDC_ISSUER');
  if (issuer === undefined) return undefined;
  const needed = (name: string): string => {
    const value = text(name);
    if (value === undefined) throw new Error(`OIDC_ISSUER is set, and so ${name} is needed`);
    return value;
  };
  return {
    issuer,
    clientId: needed('OIDC_CLIENT_ID'),
    clientSecret: needed('OIDC_CLIENT_SECRET'),
    name: text('OIDC_NAME') ?? 'OpenID Connect',
  };
}

function stripe(text: (name: string) => string | undefined): Settings['payments'] {
  const secretKey = text('STRIPE_SECRET_KEY');
  if (secretKey === undefined) return undefined;
  const webhookSecret = text('STRIPE_WEBHOOK_SECRET');
  if (webhookSecret === undefined) throw new Error('STRIPE_SECRET_KEY is set, and so STRIPE_WEBHOOK_SECRET is needed');
  return { secretKey, webhookSecret };
}

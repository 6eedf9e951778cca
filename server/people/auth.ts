// better-auth, set up: e-mail and password, resets, and OpenID Connect when it is configured. Our own routes call it (auth-routes.ts) and
// nothing else of it can be reached from outside.
import { type BetterAuthOptions, betterAuth } from 'better-auth';
import { APIError } from 'better-auth/api';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { languages } from '@vectorium/contract';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { newId } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import { createAuthAdapter } from './adapter.ts';
import { discoveryUrl } from './issuer.ts';
import type { Members } from './members.ts';
import { addressHeader, authPath } from './tokens.ts';

export interface OidcSettings {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** What the button is called. */
  name: string;
}

export interface SignUpCheck {
  email: string;
  /** The token of a link. */
  invitation: string | undefined;
  /** Whether an OpenID provider says that the address is the person's. */
  vouched: boolean;
}

export interface AuthOptions {
  database: Database;
  secret: string;
  publicUrl: string | undefined;
  members: Members;
  /** Called when a person gets in. */
  entered(personId: string): Promise<void>;
  /** Throws ApiError when a person with this address may not sign up. */
  checkSignUp(check: SignUpCheck): Promise<void>;
  sendReset(person: { name: string; email: string; language: string }, token: string): Promise<void>;
  /** Called when the password was changed by one of the links. */
  dropResetLinks(personId: string): Promise<void>;
  oidc: OidcSettings | undefined;
  log: (event: string, fields: object) => void;
}

export type Auth = ReturnType<typeof createAuth>;

const sessionSeconds = 30 * 86_400;
const resetSeconds = 3600;

export function createAuth(options: AuthOptions) {
  const { database, secret, publicUrl, members, checkSignUp, sendReset, dropResetLinks, entered, oidc, log } = options;

  return betterAuth({
    appName: 'Vectorium',
    secret,
    basePath: authPath,
    baseURL: publicUrl ?? { allowedHosts: ['*'], protocol: 'auto' },
    telemetry: { enabled: false },
    logger: { log: (level, message) => void (level === 'error' && log('people.auth_failed', { message })) },
    database: createAuthAdapter(database, () => database.announce('callers')),
    user: {
      modelName: 'people',
      fields: { emailVerified: 'email_verified', createdAt: 'created_at', updatedAt: 'updated_at' },
      additionalFields: {
        language: { type: 'string', required: false, defaultValue: 'en', validator: { input: z.enum(languages) } },
      },
      async validateUserInfo({ user, source }, context) {
        if (source.action !== 'create-user') return;
        try {
          await checkSignUp({
            email: String(user.email).toLowerCase(),
            invitation: invitationOf(context),
            vouched: source.method === 'oauth' && user.emailVerified === true,
          });
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          return { error: error.code, errorDescription: error.message };
        }
      },
    },
    session: {
      modelName: 'sessions',
      fields: {
        userId: 'person_id',
        expiresAt: 'expires_at',
        ipAddress: 'address',
        userAgent: 'user_agent',
        createdAt: 'created_at',
        updatedAt: 'updated_at',
      },
      expiresIn: sessionSeconds,
    },
    account: {
      modelName: 'credentials',
      fields: {
        userId: 'person_id',
        providerId: 'provider',
        accountId: 'subject',
        accessToken: 'access_token',
        refreshToken: 'refresh_token',
        idToken: 'id_token',
        accessTokenExpiresAt: 'access_token_expires_at',
        refreshTokenExpiresAt: 'refresh_token_expires_at',
        createdAt: 'created_at',
        updatedAt: 'updated_at',
      },
      encryptOAuthTokens: true,
    },
    verification: {
      modelName: 'verifications',
      fields: { expiresAt: 'expires_at', createdAt: 'created_at', updatedAt: 'updated_at' },
      storeIdentifier: 'hashed',
    },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: 10,
      maxPasswordLength: 128,
      resetPasswordTokenExpiresIn: resetSeconds,
      revokeSessionsOnPasswordReset: true,
      onPasswordReset: ({ user }) => dropResetLinks(user.id),
      sendResetPassword: ({ user, token }) =>
        sendReset({ name: user.name, email: user.email, language: languageOf(user) }, token),
    },
    // Our routes count tries themselves, by address and by e-mail address.
    rateLimit: { enabled: false },
    onAPIError: { errorURL: '/console/sign-in' },
    trustedOrigins: request => (request ? [new URL(request.url).origin] : []),
    plugins: oidc ? [genericOAuth({ config: [oidcConfig(oidc)] })] : [],
    databaseHooks: {
      session: {
        create: {
          // Before a person gets in for the first time, there is an account to get into.
          async before(session, context) {
            await members.settle(session.userId, invitationOf(context)).catch(refuse);
            await entered(session.userId);
          },
        },
      },
    },
    advanced: {
      cookiePrefix: 'vectorium',
      useSecureCookies: false,
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax', path: '/' },
      ipAddress: { ipAddressHeaders: [addressHeader] },
      database: {
        generateId: ({ model }) => `${prefixes[model] ?? model}_${newId().replaceAll('-', '')}`,
        validateSchema: false,
      },
    },
  } satisfies BetterAuthOptions);
}

const prefixes: Readonly<Record<string, string>> = { user: 'per', session: 'ses', account: 'cre', verification: 'ver' };

function oidcConfig(settings: OidcSettings) {
  const { clientId, clientSecret, name } = settings;
  return {
    providerId: 'oidc',
    name,
    clientId,
    clientSecret,
    discoveryUrl: discoveryUrl(settings),
    scopes: ['openid', 'profile', 'email'],
    requireIdTokenVerification: true,
    pkce: true,
  };
}

function invitationOf(context: { body?: unknown } | null): string | undefined {
  const body = context?.body as { invitation?: unknown } | undefined;
  return typeof body?.invitation === 'string' ? body.invitation : undefined;
}

function languageOf(user: object): string {
  return 'language' in user && typeof user.language === 'string' ? user.language : 'en';
}

function refuse(error: unknown): never {
  if (error instanceof ApiError) throw new APIError('FORBIDDEN', { code: error.code, message: error.message });
  throw error;
}

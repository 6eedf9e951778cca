// How people sign up, in and out. The answers set and clear an HttpOnly cookie; better-auth does the work behind them.
import { z } from 'zod';
import { line, optional, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const open = { tag: 'Console', auth: 'none', family: 'none', dialect: 'native', method: 'POST' } as const;

export const languages = ['en', 'tr'] as const;
const email = line(254).pipe(z.email({ error: 'must be an e-mail address' }));
const newPassword = z.string().min(10).max(128);
const password = z.string().min(1).max(128);
const done = z.object({ done: z.literal(true) });

const signUp = defineRoute({
  ...open,
  id: 'signUp',
  path: '/console/auth/sign-up/email',
  summary: 'Sign up, and be signed in',
  body: z.strictObject({
    name: line(100),
    email,
    password: newPassword,
    language: withDefault(z.enum(languages), 'en'),
    invitation: optional(line(200).meta({ description: "The token of an invitation's link." })),
  }),
  answer: done,
  errors: ['SIGN_UP_NOT_ALLOWED', 'CONFLICT', 'NOT_FOUND', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const signIn = defineRoute({
  ...open,
  id: 'signIn',
  path: '/console/auth/sign-in/email',
  summary: 'Sign in',
  body: z.strictObject({
    email,
    password,
    rememberMe: withDefault(z.boolean(), true).meta({ description: 'Whether the session outlives the browser.' }),
  }),
  answer: done,
  errors: ['SIGN_IN_FAILED', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const signOut = defineRoute({
  ...open,
  id: 'signOut',
  path: '/console/auth/sign-out',
  summary: 'Sign out',
  body: z.object({}),
  answer: done,
  errors: ['ORIGIN_NOT_ALLOWED'],
});

const requestReset = defineRoute({
  ...open,
  id: 'requestReset',
  path: '/console/auth/request-password-reset',
  summary: 'Ask for a link by which to choose a new password',
  description:
    'The answer is the same for an address that nobody has. Without mail, the link is in the log of the operator.',
  body: z.strictObject({ email }),
  answer: done,
  errors: ['TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const resetPassword = defineRoute({
  ...open,
  id: 'resetPassword',
  path: '/console/auth/reset-password',
  summary: 'Choose a new password with the token of such a link; ends all sessions',
  body: z.strictObject({ token: line(200), newPassword }),
  answer: done,
  errors: ['NOT_FOUND', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const changePassword = defineRoute({
  ...open,
  auth: 'session',
  family: 'console',
  id: 'changePassword',
  path: '/console/auth/change-password',
  summary: 'Change your password; ends all other sessions',
  body: z.object({ currentPassword: password, newPassword }),
  answer: done,
  errors: ['SIGN_IN_FAILED', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const startOidc = defineRoute({
  ...open,
  id: 'startOidc',
  path: '/console/auth/sign-in/oauth2',
  summary: 'Sign in by OpenID Connect',
  description: 'Go to `url`; the provider leads back to `/`, or to `/console/sign-in?error=…`.',
  body: z.object({}),
  answer: z.object({ url: z.string() }),
  errors: ['NOT_FOUND', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

export const signInRoutes = { signUp, signIn, signOut, requestReset, resetPassword, changePassword, startOidc };

// How people sign up, in and out. The answers set and clear an HttpOnly cookie; better-auth does the work behind them.
import { z } from 'zod';
import { line, optional, properName, withDefault } from './fields.ts';
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
    name: properName(100),
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
  accountless: true,
  family: 'console',
  id: 'changePassword',
  path: '/console/auth/change-password',
  summary: 'Change your password; ends all other sessions',
  body: z.object({ currentPassword: password, newPassword }),
  answer: done,
  errors: ['SIGN_IN_FAILED', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const changeEmail = defineRoute({
  ...open,
  auth: 'session',
  accountless: true,
  family: 'console',
  id: 'changeEmail',
  path: '/console/auth/change-email',
  summary: 'Change your e-mail address',
  description:
    'Where the server sends mail, a link goes to the new address and the old one counts until it is followed; else the new one counts at once, unconfirmed. Who has a password gives it.',
  body: z.strictObject({ email, currentPassword: optional(password) }),
  answer: z.object({ changed: z.boolean().meta({ description: 'false: a link was sent to the new address.' }) }),
  errors: ['SIGN_IN_FAILED', 'CONFLICT', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED', 'SERVICE_UNAVAILABLE'],
});

const sendConfirmation = defineRoute({
  ...open,
  auth: 'session',
  accountless: true,
  family: 'console',
  id: 'sendConfirmation',
  path: '/console/auth/send-confirmation',
  summary: 'Send the link again by which you confirm your e-mail address',
  description: 'To the new address when it is being changed. Who signs up gets one without asking.',
  body: z.object({}),
  answer: done,
  errors: ['CONFLICT', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED', 'SERVICE_UNAVAILABLE'],
});

const confirmEmail = defineRoute({
  ...open,
  id: 'confirmEmail',
  path: '/console/auth/confirm-email',
  summary: 'Confirm an e-mail address by the token of the link in the mail; nobody need be signed in',
  body: z.strictObject({ token: line(200) }),
  answer: z.object({ email: z.string() }),
  errors: ['NOT_FOUND', 'CONFLICT', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED'],
});

const startOidc = defineRoute({
  ...open,
  id: 'startOidc',
  path: '/console/auth/sign-in/oauth2',
  summary: 'Sign in by OpenID Connect',
  description: 'Go to `url`; the provider leads back to `/`, or to `/console/sign-in?error=…`.',
  body: z.object({}),
  answer: z.object({ url: z.string() }),
  errors: ['NOT_FOUND', 'TOO_MANY_ATTEMPTS', 'ORIGIN_NOT_ALLOWED', 'SERVICE_UNAVAILABLE'],
});

export const signInRoutes = {
  signUp,
  signIn,
  signOut,
  requestReset,
  resetPassword,
  changePassword,
  changeEmail,
  sendConfirmation,
  confirmEmail,
  startOidc,
};

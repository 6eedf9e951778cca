// What to do about an error of the API, by its code.
import type { ErrorCode } from '@vectorium/contract';
import type { ApiProblem } from '../api/problem.ts';
import type en from './en/common.ts';

type Advice = Extract<keyof typeof en, `advice${string}`>;

const byCode: Partial<Record<ErrorCode | 'NETWORK', Advice>> = {
  NETWORK: 'adviceNetwork',
  RATE_LIMIT_EXCEEDED: 'adviceRateLimit',
  QUEUE_FULL: 'adviceRateLimit',
  INSUFFICIENT_BALANCE: 'adviceBalance',
  KEY_BUDGET_EXCEEDED: 'adviceBudget',
  SCOPE_NOT_ALLOWED: 'adviceScope',
  MODEL_NOT_ALLOWED: 'adviceModel',
  MODEL_UNAVAILABLE: 'adviceModel',
  ADMIN_REQUIRED: 'adviceOperator',
  KEY_LIMIT_REACHED: 'adviceKeyLimit',
  STORAGE_QUOTA_EXCEEDED: 'adviceStorage',
  MISSING_API_KEY: 'adviceSignIn',
  INVALID_API_KEY: 'adviceSignIn',
  SIGN_IN_REQUIRED: 'adviceSignIn',
  ROLE_NOT_ALLOWED: 'adviceScope',
  EMAIL_NOT_CONFIRMED: 'adviceConfirm',
  BUDGET_EXCEEDED: 'adviceHardCap',
};

/** The key of the advice; the status decides where the code has none of its own. */
export function adviceKey(problem: ApiProblem | null): Advice {
  if (!problem) return 'adviceServer';
  const own = (byCode as Record<string, Advice | undefined>)[problem.code];
  if (own) return own;
  if (problem.status === 401) return 'adviceSignIn';
  if (problem.status === 404) return 'adviceNotFound';
  if (problem.status === 409) return 'adviceConflict';
  return problem.status >= 400 && problem.status < 500 ? 'adviceInput' : 'adviceServer';
}

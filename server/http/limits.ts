// What an answer says about the caller's limits: RateLimit headers (draft 10), OpenAI's x-ratelimit headers, and the 429.
import { ApiError } from './errors.ts';
import type { Counter } from '../plans/index.ts';

const windowSeconds = { minute: 60, hour: 3600, day: 86_400 } as const;

/** Headers that tell every counter's limit, what is left of it and when it starts again. None for unlimited callers. */
export function limitHeaders(counters: readonly Counter[], now: Date): Record<string, string> {
  const [first, ...rest] = counters;
  if (!first) return {};
  const tightest = rest.reduce((least, counter) => (counter.remaining < least.remaining ? counter : least), first);
  const policies = counters.map(({ name, limit }) => `"${name}";q=${limit};w=${windowSeconds[name]}`);
  const states = counters.map(counter => `"${counter.name}";r=${counter.remaining};t=${secondsLeft(counter, now)}`);
  return {
    'ratelimit-policy': policies.join(', '),
    ratelimit: states.join(', '),
    'x-ratelimit-limit-requests': String(tightest.limit),
    'x-ratelimit-remaining-requests': String(tightest.remaining),
    'x-ratelimit-reset-requests': `${secondsLeft(tightest, now)}s`,
  };
}

/** The documented 429, for the counter that refused. */
export function limitExceeded(counter: Counter, now: Date): ApiError {
  const seconds = Math.max(1, secondsLeft(counter, now));
  return new ApiError('RATE_LIMIT_EXCEEDED', {
    message: 'Rate limit exceeded',
    retryAfterSeconds: seconds,
    details: {
      retry_after: seconds,
      limit: counter.limit,
      reset_time: new Date(Math.ceil(counter.resetAt.getTime() / 1000) * 1000).toISOString().replace('.000Z', 'Z'),
    },
  });
}

function secondsLeft(counter: Counter, now: Date): number {
  return Math.max(0, Math.ceil((counter.resetAt.getTime() - now.getTime()) / 1000));
}

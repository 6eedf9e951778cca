// What the pages of signing in share: going in, tokens of links, and what went wrong in words.
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiProblem, queries, reloadSession } from '../../api/index.ts';
import { type Text, useText } from '../../messages/index.ts';
import { prefer } from '../../preferences.ts';
import { files } from './text.ts';

export type SignInText = Text<(typeof files)['en']>;

export function useSignInText(): SignInText {
  return useText(files);
}

/** Goes into the console once a session has begun. */
export function useEnter(): (to?: string) => Promise<void> {
  const navigate = useNavigate();
  return async to => {
    prefer({ account: null });
    // What was kept is of whoever was here before; the session itself is still looked at.
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'getSession' });
    const { person } = await reloadSession();
    if (person) prefer({ language: person.language });
    await navigate({ href: to ?? '/', replace: true });
  };
}

/** Kept for as long as the page lives, so that one can sign in first and come back. */
let kept: { path: string; token: string } | null = null;

/** The token of a link, `#token=…`, which is taken out of the address at once; null where there is none. */
export function useToken(): string | null {
  const [token] = useState(() => {
    const path = location.pathname;
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given) {
      kept = { path, token: given };
      history.replaceState(history.state, '', path + location.search);
    }
    return kept?.path === path ? kept.token : null;
  });
  return token;
}

/** What went wrong, for the person. */
export function explain(problem: Error, text: SignInText): string {
  if (!(problem instanceof ApiProblem)) return problem.message;
  if (problem.status === 429) return text('tooManyTries', { seconds: problem.retryAfterSeconds ?? 10 });
  if (problem.code === 'SIGN_IN_FAILED') return text('wrongCredentials');
  return problem.message;
}

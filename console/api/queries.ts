// The API in components: `useRoute` reads and keeps an answer, `useChange` changes something and has others read again.
import {
  MutationCache,
  QueryCache,
  QueryClient,
  type UseMutationResult,
  type UseQueryResult,
  keepPreviousData,
  useMutation,
  useQuery,
} from '@tanstack/react-query';
import { usePreferences } from '../preferences.ts';
import { toastProblem } from '../ui/toast.tsx';
import { type Answer, type Input, type RouteName, call } from './client.ts';
import { ApiProblem } from './problem.ts';

/** Codes that say the session has ended. */
const signedOut = new Set(['MISSING_API_KEY', 'INVALID_API_KEY', 'SIGN_IN_REQUIRED']);

export const queries = new QueryClient({
  queryCache: new QueryCache({ onError: leaveWhenSignedOut }),
  mutationCache: new MutationCache({ onError: leaveWhenSignedOut }),
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // A refusal stays one; what may pass by itself is tried twice more.
      retry: (failures, error) => failures < 2 && isPassing(error),
    },
  },
});

interface ReadOptions {
  /** Looks again this often. */
  everyMs?: number | false;
  enabled?: boolean;
  /** Shows the answer to the last input until the one to the new input is there. */
  keep?: boolean;
}

/** The answer of a reading route, kept by its input and the account. */
export function useRoute<Name extends RouteName>(
  name: Name,
  input?: Input<Name>,
  { everyMs = false, enabled = true, keep = false }: ReadOptions = {},
): UseQueryResult<Answer<Name>> {
  const { account } = usePreferences();
  return useQuery<Answer<Name>>({
    queryKey: [name, account, input ?? null],
    queryFn: ({ signal }) => call(name, input, { signal }),
    refetchInterval: everyMs,
    enabled,
    ...(keep && { placeholderData: keepPreviousData }),
  } as Parameters<typeof useQuery<Answer<Name>>>[0]);
}

interface ChangeOptions<Name extends RouteName> {
  /** Routes whose kept answers are no longer true. */
  refresh?: readonly RouteName[];
  onDone?: (answer: Answer<Name>) => void;
  /** The caller shows the problem itself, e.g. beside a field; otherwise it is a toast. */
  quiet?: boolean;
}

/** A route that changes something. */
export function useChange<Name extends RouteName>(
  name: Name,
  { refresh = [], onDone, quiet = false }: ChangeOptions<Name> = {},
): UseMutationResult<Answer<Name>, Error, Input<Name>> {
  return useMutation<Answer<Name>, Error, Input<Name>>({
    mutationFn: input => call(name, input),
    onSuccess: answer => {
      for (const other of refresh) void queries.invalidateQueries({ queryKey: [other] });
      onDone?.(answer);
    },
    onError: problem => {
      if (!quiet) toastProblem(problem);
    },
  });
}

function isPassing(error: Error): boolean {
  return error instanceof ApiProblem && (error.status === 0 || error.status === 503);
}

function leaveWhenSignedOut(error: Error): void {
  if (!(error instanceof ApiProblem) || !signedOut.has(error.code)) return;
  if (location.pathname.startsWith('/console/sign-')) return;
  const back = encodeURIComponent(location.pathname + location.search);
  location.assign(`/console/sign-in?back=${back}`);
}

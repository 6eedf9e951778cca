// The result of steps before anything is made, asked for a moment after the last change.
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type Answer, ApiProblem, call } from '../../../api/index.ts';
import type { Operation } from '../operations/draft.ts';

export type Preview = Answer<'processDataset'>;

/** Typing on within this time asks for nothing: each preview is a request of the plan. */
const settleMs = 500;

export function usePreview(reference: string, operations: readonly Operation[]) {
  const settled = useSettled(JSON.stringify(operations), settleMs);
  const { data, error, isFetching, isPlaceholderData, failureReason, refetch } = useQuery<Preview>({
    queryKey: ['preview', reference, settled],
    queryFn: ({ signal }) =>
      call(
        'processDataset',
        { body: { dataset_id: reference, operations: JSON.parse(settled) as Operation[], preview: true } },
        { signal },
      ),
    enabled: settled !== '[]',
    staleTime: Infinity,
    // The last result stays until the next is there, so that the table doesn't flicker.
    placeholderData: before => before,
    retry: (_, problem) => problem instanceof ApiProblem && problem.status === 429,
    retryDelay: (_, problem) => (problem instanceof ApiProblem ? (problem.retryAfterSeconds ?? 5) : 5) * 1000,
  });
  const waiting =
    failureReason instanceof ApiProblem && failureReason.status === 429 ? failureReason.retryAfterSeconds : null;
  return {
    preview: settled === '[]' ? null : (data ?? null),
    problem: error,
    retry: refetch,
    busy: isFetching || isPlaceholderData || settled !== JSON.stringify(operations),
    waitingSeconds: isFetching ? waiting : null,
  };
}

function useSettled(value: string, ms: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

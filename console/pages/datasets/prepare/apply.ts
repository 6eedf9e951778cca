// Runs the steps as a job, and tells how far it is until there is a new version.
import { useEffect, useRef, useState } from 'react';
import { type Answer, ApiProblem, call, queries } from '../../../api/index.ts';
import { follow } from '../../../api/follow.ts';
import type { Operation } from '../operations/draft.ts';

type Processed = Answer<'processDataset'>;

export interface Applying {
  start: (operations: readonly Operation[]) => void;
  cancel: () => void;
  /** 0 to 1 while it runs; null when nothing does. */
  progress: number | null;
  problem: Error | null;
}

export function useApply(reference: string, onDone: (result: Processed) => void): Applying {
  const [progress, setProgress] = useState<number | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  const job = useRef<string | null>(null);
  const following = useRef(new AbortController());
  // The job goes on when the page is left; only looking at it ends.
  useEffect(() => {
    const controller = (following.current = new AbortController());
    return () => controller.abort();
  }, []);

  const run = async (operations: readonly Operation[]) => {
    const { signal } = following.current;
    const body = { dataset_id: reference, operations: [...operations] };
    const begun = await call('processDataset', { body }, { headers: { prefer: 'wait=1' }, signal });
    job.current = begun.job_id;
    if (begun.status === 'queued' || begun.status === 'running') {
      setProgress(begun.progress);
      await follow('getJobEvents', {
        id: begun.job_id ?? '',
        signal,
        onEvent: ({ event, data }) => {
          if (event === 'progress') setProgress((JSON.parse(data) as { progress: number }).progress);
        },
      });
      if (signal.aborted) return;
      const ended = await call('getJob', { params: { id: begun.job_id ?? '' } }, { signal });
      return settle({
        ...begun,
        ...(ended.result as Partial<Processed> | undefined),
        status: ended.status,
        error: ended.error ?? null,
      });
    }
    settle(begun);
  };
  const settle = (result: Processed) => {
    if (result.status === 'failed')
      throw new ApiProblem(result.error?.message ?? '', {
        status: 400,
        code: result.error?.code ?? 'UNKNOWN',
        param: typeof result.error?.['param'] === 'string' ? result.error['param'] : null,
      });
    if (result.status === 'cancelled') return;
    for (const route of ['getDataset', 'listDatasets', 'listJobs'] as const)
      void queries.invalidateQueries({ queryKey: [route] });
    onDone(result);
  };

  return {
    start: operations => {
      setProblem(null);
      setProgress(0);
      run(operations)
        .catch((thrown: unknown) => {
          if (!following.current.signal.aborted)
            setProblem(thrown instanceof Error ? thrown : new Error(String(thrown)));
        })
        .finally(() => setProgress(null));
    },
    cancel: () => {
      if (job.current !== null) void call('cancelJob', { params: { id: job.current } }).catch(() => {});
    },
    progress,
    problem,
  };
}

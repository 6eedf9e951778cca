// A job in an answer, and the answer that waits for one as long as its caller prefers.
import type { AnswerOf, routes } from '@vectorium/contract';
import type { Context } from '../http/index.ts';
import type { Job, Jobs } from './types.ts';

/** Longer than this no answer is held: proxies between here and the caller give up. */
const longestWaitSeconds = 60;

export function shownJob(job: Job): AnswerOf<typeof routes.getJob> {
  return {
    job_id: job.id,
    kind: job.kind,
    status: job.status,
    progress: job.progress,
    ...(job.status === 'succeeded' && { result: job.result }),
    ...(job.error && { error: job.error }),
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  };
}

type Waiting = Pick<Context<never>, 'headers' | 'signal' | 'reply'>;

/**
 * The job when it has ended, or after as many seconds as `Prefer: wait=N` (RFC 7240) says, or `defaultSeconds` when it says nothing. Sets
 * `Preference-Applied` when the caller had a wish.
 */
export async function answerWithJob(
  jobs: Pick<Jobs, 'wait'>,
  { headers, signal, reply }: Waiting,
  job: Job,
  defaultSeconds: number,
): Promise<AnswerOf<typeof routes.getJob>> {
  const wished = waitOf(headers['prefer']);
  const seconds = Math.min(wished ?? defaultSeconds, longestWaitSeconds);
  if (wished !== undefined) reply.header('preference-applied', `wait=${seconds}`);
  return shownJob((await jobs.wait(job.accountId, job.id, { seconds, signal })) ?? job);
}

/** The seconds of `wait` in a Prefer header; undefined when there is none that can be read. */
function waitOf(prefer: string | string[] | undefined): number | undefined {
  const wishes = [prefer ?? []].flat().join(',').split(/[,;]/);
  const [seconds] = wishes.flatMap(wish => /^\s*wait\s*=\s*"?(\d{1,9})"?\s*$/i.exec(wish)?.[1] ?? []);
  return seconds === undefined ? undefined : Number(seconds);
}

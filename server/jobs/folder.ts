// The folder of a job: what it has done so far, for whoever goes on with it. It is gone when the job has ended.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Interruption } from './run.ts';
import type { Jobs, RunningJob } from './types.ts';

/**
 * Does an attempt's work with the job's folder below `parent`. All of the work belongs in here, also the look at whether an attempt before
 * did it: that one may have been killed before its folder was removed.
 */
export async function inJobFolder<T>(
  parent: string,
  { id, accountId, signal }: Pick<RunningJob, 'id' | 'accountId' | 'signal'>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = join(parent, `${accountId}.${id}`);
  await mkdir(folder, { recursive: true });
  let goesOn = false;
  try {
    return await work(folder);
  } catch (error) {
    goesOn = signal.aborted && !wasCancelled(signal);
    throw error;
  } finally {
    if (!goesOn) await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the folders of jobs that ended without an attempt that could: cancelled in the line, or after too many deaths. */
export async function removeOldJobFolders(parent: string, jobs: Pick<Jobs, 'get'>): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [accountId = '', jobId = ''] = name.split('.');
    const job = await jobs.get(accountId, jobId);
    if (!job || job.finishedAt) await rm(join(parent, name), { recursive: true, force: true });
  }
}

function wasCancelled({ reason }: AbortSignal): boolean {
  return reason instanceof Interruption && reason.by === 'cancel';
}

// What a job is, for those who start jobs and those who do them.

export const jobStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof jobStatuses)[number];

export interface Job {
  id: string;
  accountId: string;
  /** The key that started it. */
  keyId: string;
  kind: string;
  status: JobStatus;
  /** 0 to 1. */
  progress: number;
  input: unknown;
  /** Of a job that succeeded. */
  result: unknown;
  /** Of a job that failed: safe to show. */
  error: { code: string; message: string; param?: string } | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** A job while it runs, as its handler sees it. */
export interface RunningJob {
  id: string;
  accountId: string;
  keyId: string;
  input: unknown;
  /** What `checkpoint` kept when an earlier attempt died; null on the first. */
  resumeFrom: unknown;
  /** Aborted when the job is cancelled, or the server stops (then it is queued again). */
  signal: AbortSignal;
  /** Kept at once in memory, in the database from time to time; also an event. */
  progress(fraction: number): void;
  /** Something that those who follow the job see, e.g. a loss; kept in order. */
  event(type: string, data: object): void;
  /** Durable when it resolves. */
  checkpoint(state: unknown): Promise<void>;
}

/** Gives the job's result, as JSON. An ApiError that it throws is shown to the caller; of others only that it failed. */
export type JobHandler = (job: RunningJob) => Promise<object>;

export interface Jobs {
  /** Before `start`; kinds without a handler stay queued for other processes. */
  handle(kind: string, handler: JobHandler): void;
  /** Begins to take jobs. */
  start(): Promise<void>;
  enqueue(job: { kind: string; accountId: string; keyId: string; input: unknown }): Promise<Job>;
  /** Null when the account has no such job. */
  get(accountId: string, id: string): Promise<Job | null>;
  /** The job as it is when it has ended, or after so many seconds, or when the signal aborts. */
  wait(accountId: string, id: string, options: { seconds: number; signal?: AbortSignal }): Promise<Job | null>;
  cancel(accountId: string, id: string): Promise<Job | null>;
  /** Queued and running jobs of an account. */
  open(accountId: string): Promise<Job[]>;
  close(): Promise<void>;
}

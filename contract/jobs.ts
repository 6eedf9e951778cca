// The routes about jobs: how far they are, their events, and an end to them.
import { z } from 'zod';
import { line, optional, wholeNumber, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const common = { tag: 'Jobs', auth: 'key', scope: 'data', dialect: 'vectorial' } as const;

export const jobStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;

/** A job as answers show it. */
export const jobShape = z.object({
  job_id: z.string(),
  kind: z.string(),
  status: z.enum(jobStatuses),
  progress: z.number().meta({ description: '0 to 1.' }),
  result: z.unknown().optional().meta({ description: 'Of a job that succeeded.' }),
  error: z
    .object({ code: z.string(), message: z.string(), param: z.string().optional() })
    .optional()
    .meta({ description: 'Of a job that failed.' }),
  created_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
});

const identity = z.object({ id: line(100) });

const listJobs = defineRoute({
  ...common,
  family: 'read',
  id: 'listJobs',
  method: 'GET',
  path: '/api/v2/jobs',
  aliases: ['/v2/jobs'],
  summary: 'Your jobs, newest first',
  query: z.object({
    limit: withDefault(wholeNumber(1, 100), 20),
    after: optional(line(100).meta({ description: 'The `job_id` of the last item of the page before.' })),
    status: optional(z.enum(jobStatuses)),
    kind: optional(line(100)),
  }),
  answer: z.object({ data: z.array(jobShape), has_more: z.boolean() }),
  errors: ['INVALID_PARAMETER'],
});

const getJob = defineRoute({
  ...common,
  family: 'read',
  id: 'getJob',
  method: 'GET',
  path: '/api/v2/jobs/{id}',
  aliases: ['/v2/jobs/{id}'],
  summary: 'One job',
  description: 'With `Prefer: wait=N` the answer comes when the job has ended, or after N seconds (60 at most).',
  params: identity,
  answer: jobShape,
  errors: ['INVALID_PARAMETER', 'JOB_NOT_FOUND'],
  example: {
    answer: {
      job_id: 'job_0197f3a2',
      kind: 'process',
      status: 'running',
      progress: 0.4,
      created_at: '2026-01-31T10:00:00.000Z',
      started_at: '2026-01-31T10:00:00.010Z',
      finished_at: null,
    },
  },
});

/** What routes take and give that answer with the events of a job. */
export const eventStream = {
  query: z.object({
    limit: withDefault(wholeNumber(1, 1000), 100),
    after: optional(wholeNumber(0, 2_147_483_647).meta({ description: 'The `id` of the last event that you have.' })),
  }),
  contentType: 'text/event-stream',
  answer: z.string(),
  alternatives: { 'application/json': '`{"data": [{"id", "event", "data", "created_at"}], "has_more"}`' },
} as const;

const getJobEvents = defineRoute({
  ...common,
  family: 'read',
  id: 'getJobEvents',
  method: 'GET',
  path: '/api/v2/jobs/{id}/events',
  aliases: ['/v2/jobs/{id}/events'],
  summary: 'What happens in a job, as it happens',
  description:
    'Server-sent events: those that happened, then those that happen, until the job has ended. `id` numbers them; `Last-Event-ID` (or `after`) goes on after that one. A comment every 15 seconds keeps the connection. With `Accept: application/json`, those that happened, as a page.',
  params: identity,
  ...eventStream,
  errors: ['INVALID_PARAMETER', 'JOB_NOT_FOUND'],
});

const cancelJob = defineRoute({
  ...common,
  family: 'data',
  id: 'cancelJob',
  method: 'POST',
  path: '/api/v2/jobs/{id}/cancel',
  aliases: ['/v2/jobs/{id}/cancel'],
  summary: 'Cancel a job',
  description:
    'A queued job is cancelled at once. A running one is told to stop; the answer waits up to two seconds for it. A job that has ended stays as it is.',
  params: identity,
  answer: jobShape,
  errors: ['INVALID_PARAMETER', 'JOB_NOT_FOUND'],
});

const webhook = {
  ...common,
  path: '/api/v2/webhook',
  aliases: ['/v2/webhook'],
} as const;

const setWebhook = defineRoute({
  ...webhook,
  family: 'data',
  id: 'setWebhook',
  method: 'PUT',
  summary: 'Be told when your jobs end',
  description:
    'Posts `job.succeeded`, `job.failed` or `job.cancelled` with the job to this address, signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Any answer but 2xx, or none within 10 seconds, is tried again for about a day, with the same `webhook-id`. Each PUT makes a new secret.',
  body: z.strictObject({ url: line(2000).meta({ description: 'https.', format: 'uri' }) }),
  answer: z.object({
    url: z.string(),
    secret: z.string().meta({ description: 'Shown this once: verify signatures with it.' }),
    created_at: z.string(),
  }),
  errors: ['INVALID_PARAMETER'],
  example: {
    body: { url: 'https://example.com/hooks/vectorium' },
    answer: { url: 'https://example.com/hooks/vectorium', secret: 'whsec_…', created_at: '2026-01-31T10:00:00.000Z' },
  },
});

const getWebhook = defineRoute({
  ...webhook,
  family: 'read',
  id: 'getWebhook',
  method: 'GET',
  summary: 'Where you are told',
  answer: z.object({ url: z.string(), created_at: z.string() }),
  errors: ['NOT_FOUND'],
});

const deleteWebhook = defineRoute({
  ...webhook,
  family: 'data',
  id: 'deleteWebhook',
  method: 'DELETE',
  summary: 'Be told no longer',
  description: 'What has not arrived yet is dropped.',
  answer: z.object({ deleted: z.boolean() }),
  errors: [],
});

export const jobRoutes = { listJobs, getJob, getJobEvents, cancelJob, setWebhook, getWebhook, deleteWebhook };

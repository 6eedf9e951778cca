// The door of the jobs: work that outlives its request, the routes about it, and the answer that waits for it.
export { type WebhookTargets, webhookTargets } from './addresses.ts';
export { answerWithJob } from './answers.ts';
export { answerWithEvents } from './event-answers.ts';
export { inJobFolder, removeOldJobFolders } from './folder.ts';
export { type ServedJobs, createJobs } from './jobs.ts';
export { mountJobRoutes } from './routes.ts';
export type { Job, JobHandler, Jobs, RunningJob } from './types.ts';
export { mountWebhookRoutes } from './webhook-routes.ts';
export { createWebhooks } from './webhooks.ts';

// The routes of datasets: upload, look at, download, change, delete, process.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '@vectorium/contract';
import { type App, type Context, Raw, mount } from '../http/index.ts';
import { answerWithJob } from '../jobs/index.ts';
import type { Uploads } from '../uploads/index.ts';
import { shownDataset, shownPreview, shownProcess, shownProfile, shownWhole } from './answers.ts';
import type { Datasets } from './datasets.ts';
import { contentTypes } from './pages.ts';
import { contentDisposition } from './rules.ts';

/** How long the answer about a dataset waits for statistics that are being computed. */
const profileWaitMs = 2000;
const processWaitSeconds = 10;

export function mountDatasetRoutes(app: App, { datasets, uploads }: { datasets: Datasets; uploads: Uploads }): void {
  mount(app, routes.uploadDataset, upload);
  mount(app, routes.putDataset, upload);
  mount(app, routes.createResumableUpload, resume);
  mount(app, routes.getResumableUpload, resume);
  mount(app, routes.continueResumableUpload, resume);
  mount(app, routes.deleteResumableUpload, resume);

  async function upload(context: Context<typeof routes.uploadDataset> | Context<typeof routes.putDataset>) {
    const { account } = context.caller;
    keepOpen(context.reply.raw);
    // Whoever has a key comes back for the answer; who has none would make a second dataset, so the first must not come into being.
    const signal = context.headers['idempotency-key'] === undefined ? context.signal : undefined;
    const reservation = await datasets.reserve(account);
    try {
      const received = await uploads.receive(context, reservation);
      try {
        const { sha256, format, options, name, description } = received;
        return await context.once({ sha256, format, options, name, description }, async () =>
          shownDataset(await datasets.make(received, { account, reservation, signal })),
        );
      } finally {
        await received.discard();
      }
    } finally {
      await reservation.release();
    }
  }

  /** A finished file becomes a dataset also when its client leaves: asking again would find no upload any more. */
  async function resume({ caller: { account }, request, requestId, reply }: ResumableContext): Promise<Raw> {
    keepOpen(reply.raw);
    const reservation = await datasets.reserve(account);
    try {
      const exchange = { request, requestId, accountId: account.id };
      const { status, headers, body } = await uploads.resume(exchange, reservation, async received => {
        try {
          return shownDataset(await datasets.make(received, { account, reservation }));
        } finally {
          await received.discard();
        }
      });
      reply.code(status).headers(headers);
      return new Raw(body);
    } finally {
      await reservation.release();
    }
  }

  mount(app, routes.listDatasets, async ({ caller, query: { limit, after } }) => {
    const { id, plan } = caller.account;
    const [page, used] = await Promise.all([
      datasets.list(id, { limit: limit + 1, after: after ?? null }),
      datasets.storageUsed(id),
    ]);
    return {
      data: page.slice(0, limit).map(shownDataset),
      has_more: page.length > limit,
      storage: { used_bytes: used, limit_bytes: plan.storageBytes },
    };
  });

  mount(app, routes.getDataset, async ({ caller, params }) => {
    const dataset = await datasets.get(caller.account.id, params.id);
    const computed = datasets.profile(dataset).catch(() => null);
    const [profile, versions] = await Promise.all([
      Promise.race([computed, sleep(profileWaitMs, null, { ref: false })]),
      datasets.versions(dataset),
    ]);
    return shownWhole(dataset, versions, profile);
  });

  mount(app, routes.getProfile, async ({ caller, params, reply }) => {
    const dataset = await datasets.get(caller.account.id, params.id);
    keepOpen(reply.raw);
    const { id, version } = dataset;
    const columns = (await datasets.profile(dataset)).map(shownProfile);
    return { dataset_id: id, version: version.number, rows: version.rows, columns };
  });

  mount(app, routes.getRows, async ({ caller, params, query, signal }) => {
    const dataset = await datasets.get(caller.account.id, params.id);
    const rows = await datasets.rows(dataset, { ...query, signal });
    const { id, version } = dataset;
    const { offset } = query;
    const about = { dataset_id: id, version: version.number, rows: version.rows, offset };
    const end = { has_more: offset + rows.length < version.rows };
    // The rows are JSON already.
    return new Raw(`${JSON.stringify(about).slice(0, -1)},"data":[${rows.join(',')}],${JSON.stringify(end).slice(1)}`);
  });

  mount(app, routes.downloadDataset, async ({ caller, params, query: { format }, signal, reply }) => {
    const dataset = await datasets.get(caller.account.id, params.id);
    keepOpen(reply.raw);
    const { bytes, stream } = await datasets.download(dataset, { format, signal });
    reply.header('content-length', bytes);
    reply.header('content-disposition', contentDisposition(dataset.name ?? dataset.id, format));
    return new Raw(stream, contentTypes[format]);
  });

  mount(app, routes.patchDataset, async ({ caller, params, body }) =>
    shownDataset(await datasets.rename(caller.account.id, params.id, body)),
  );

  mount(app, routes.deleteDataset, async ({ caller, params }) => {
    const { id, versions, countedBytes } = await datasets.remove(caller.account.id, params.id);
    return { dataset_id: id, versions, freed_bytes: countedBytes, deleted: true as const };
  });

  mount(app, routes.processDataset, async context => {
    const { caller, body, requestId, signal } = context;
    const { dataset_id: datasetId, operations, recipe } = body;
    const plan = await datasets.plan({ datasetId, operations, recipe }, caller);
    if (body.preview) return shownPreview(plan, await datasets.preview(plan, { caller, requestId, signal }));
    const job = await datasets.process(plan, caller);
    await answerWithJob(datasets.jobs, context, job, processWaitSeconds);
    return shownProcess((await datasets.jobs.get(caller.account.id, job.id)) ?? job);
  });
}

type ResumableContext = Pick<
  Context<typeof routes.createResumableUpload>,
  'caller' | 'request' | 'requestId' | 'reply'
>;

/** Lets a connection be silent for as long as the work takes; what lies between here and the client sees that it is alive. */
function keepOpen({ socket }: ServerResponse): void {
  socket?.setTimeout(0);
  socket?.setKeepAlive(true, 30_000);
}

// Builds the server from its settings, top to bottom, and takes it apart in the opposite order.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEngine } from '@vectorium/engine';
import { openTables } from '@vectorium/tables';
import { type Training, openTraining } from '@vectorium/training';
import packageJson from '../package.json' with { type: 'json' };
import { createAccounts, createDeletion } from './accounts/index.ts';
import { createAudit } from './audit/index.ts';
import { mountOwnAccountRoutes } from './accounts/own-routes.ts';
import { mountAccountRoutes } from './accounts/routes.ts';
import { createBudgetAlerts, createStripePayments, mountBillingRoutes } from './billing/index.ts';
import { mountConsole } from './console/index.ts';
import { createGroupCommit, openDatabase } from './database/index.ts';
import { createDatasets, mountDatasetRoutes } from './datasets/index.ts';
import { createLanguageModels, mountGenerationRoutes } from './generation/index.ts';
import { createApp, createLogger, mountProbes, mountReference } from './http/index.ts';
import { createJobs, createWebhooks, mountJobRoutes, mountWebhookRoutes } from './jobs/index.ts';
import { createKeys, ensureAdministrator } from './keys/index.ts';
import { mountOwnKeyRoutes } from './keys/own-routes.ts';
import { mountKeyRoutes } from './keys/routes.ts';
import { createMailer } from './mail/index.ts';
import { type Models, openModels, shippedCatalog } from './models/index.ts';
import { createSeries, mountOperatorRoutes } from './operator/index.ts';
import { createPeople, keepPeopleRetention, mountPeopleRoutes } from './people/index.ts';
import { createLimiter, createPlanStore, loadPlans } from './plans/index.ts';
import { createQuota } from './quota/index.ts';
import type { Settings } from './settings.ts';
import { openStorage } from './storage/index.ts';
import { createTelemetry, mountTelemetryRoutes } from './telemetry/index.ts';
import {
  createModelStore,
  createPredictions,
  createTrainedModels,
  forgetDeleted,
  forgetTrained,
  mountTrainingRoutes,
} from './training/index.ts';
import { createUploads } from './uploads/index.ts';
import { createLedger } from './usage/index.ts';
import { createVectorService, mountCatalogRoutes, mountUsageRoutes, mountVectorRoutes } from './vectors/index.ts';

export interface RunningServer {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  url: string;
  /** The administrator's key, when this start made one. */
  madeAdminKey: string | null;
  /** By which the first administrator signs up in the console, when this start made one. */
  firstLink: string | null;
  /** Takes no new requests, finishes those in flight, writes what is to be written, and stops. */
  close(): Promise<void>;
}

/** `training` in the place of the real one is for tests. */
export async function startServer(
  settings: Settings,
  { training: givenTraining }: { training?: Training } = {},
): Promise<RunningServer> {
  const opened: (() => Promise<unknown> | void)[] = [];
  const closing = <T>(part: T, close: (part: T) => Promise<unknown> | void): T => {
    opened.push(() => close(part));
    return part;
  };
  const closeAll = async () => {
    for (const close of opened.splice(0).toReversed()) await close();
  };

  try {
    const logger = createLogger({ level: settings.logLevel });
    const log = (event: string, fields: object) => logger.info(fields, event);
    await mkdir(settings.dataFolder, { recursive: true });

    const database = closing(
      await openDatabase({ url: settings.databaseUrl, folder: settings.dataFolder, log }),
      each => each.close(),
    );
    const commit = closing(createGroupCommit(database, { log }), each => each.close());
    const models = closing(await openModels(modelsOptions(settings, log)), each => each.close());
    const plans = await createPlanStore({ database, file: await loadPlans(settings.dataFolder), log });
    const accounts = await createAccounts({ database, plans, defaultModelFor: plan => models.defaultFor(plan) });
    const keys = await createKeys({ database, plans, accounts, commit });
    const limiter = await createLimiter({ database, commit });
    const ledger = closing(
      await createLedger({ database, commit, accounts, retentionDays: settings.usageRetentionDays, log }),
      each => each.close(),
    );
    const administrator = await ensureAdministrator({ accounts, keys, plans }, settings.adminKey);
    const audit = closing(createAudit({ database, retentionDays: settings.auditRetentionDays, log }), each =>
      each.close(),
    );
    const mailer = closing(await createMailer(settings.mail), each => each.close());
    closing(keepPeopleRetention(database, log), each => each.close());
    let ownUrl = `http://${settings.host}:${settings.port}`;
    const people = closing(
      await createPeople({
        database,
        accounts,
        keys,
        plans,
        audit,
        mailer,
        ...settings.people,
        publicUrl: settings.publicUrl,
        ownUrl: () => ownUrl,
        log,
      }),
      each => each.close(),
    );

    const telemetry = closing(createTelemetry(), each => each.close());
    const engine = closing(
      createEngine({
        ...settings.engine,
        log: (event, fields) => {
          telemetry.engineEvent(event);
          log(event, fields);
        },
      }),
      each => each.close(),
    );
    telemetry.watchEngine(engine);
    const vectors = createVectorService({ engine, models, ledger, observe: each => telemetry.vectorsSettled(each) });

    const { s3Url, stagedBytes } = settings.files;
    const storage = closing(
      await openStorage({
        folder: join(settings.dataFolder, 'storage'),
        ...(s3Url !== undefined && { s3: { ...settings.s3, url: s3Url, stagedBytes } }),
      }),
      each => each.close(),
    );
    const tables = closing(
      openTables({
        scratchFolder: join(settings.dataFolder, 'tables'),
        formatsFolder: join(settings.dataFolder, 'formats'),
        // Uploads and statistics have places beside the jobs, which may take hours.
        places: { short: 3, long: settings.jobs + 2 },
      }),
      each => each.close(),
    );
    const webhooks = closing(createWebhooks({ database, targets: settings.webhookTargets, log }), each => each.close());
    const jobs = await createJobs({
      database,
      mostAtOnce: settings.jobs,
      jobsAtOnce: async id => (await accounts.get(id))?.plan.jobs ?? null,
      ended: () => webhooks.wake(),
      retentionDays: settings.jobRetentionDays,
      log,
    });
    const quota = closing(await createQuota({ database, log }), each => each.close());
    const modelStore = createModelStore(database);
    const predictions = createPredictions({ store: modelStore, storage, engine, vectors, models, ledger, jobs });
    const jobsFolder = join(settings.dataFolder, 'jobs');
    const datasets = closing(
      await createDatasets({
        database,
        storage,
        quota,
        tables,
        jobs,
        vectors,
        predictions,
        accounts,
        keys,
        jobsFolder,
        log,
      }),
      each => each.close(),
    );
    const languageFolder = join(settings.dataFolder, 'language');
    /** What is in memory and in files of a trained model beside the storage. */
    const letGo = (id: string): void => {
      engine.forget(id);
      forgetTrained(languageFolder, id).catch((error: unknown) => {
        log('models.files_left', { model: id, message: error instanceof Error ? error.message : String(error) });
      });
    };
    await forgetDeleted(languageFolder, database);
    const trainingScratch = closing(await storage.scratch(), each => each.remove());
    const training = closing(
      givenTraining ?? openTraining({ scratchFolder: trainingScratch.path, ...settings.training }),
      each => each.close(),
    );
    const trainedModels = closing(
      createTrainedModels({
        store: modelStore,
        storage,
        quota,
        tables,
        datasets,
        training,
        vectors,
        ledger,
        accounts,
        keys,
        jobs,
        models,
        predictions,
        language: { models, storage, engine, ledger, folder: languageFolder },
        forget: letGo,
        jobsFolder,
        log,
      }),
      each => each.close(),
    );
    // Before what the jobs work with is closed.
    closing(jobs, each => each.close());

    const uploads = closing(
      createUploads({ storage, folder: join(settings.dataFolder, 'storage', 'resumable') }),
      each => each.close(),
    );

    const deletion = closing(
      createDeletion({
        database,
        jobs,
        storage,
        uploads,
        forget(id) {
          predictions.changed();
          letGo(id);
        },
        log,
      }),
      each => each.close(),
    );
    const series = closing(await createSeries({ engine, machine: telemetry.machine, database, log }), each =>
      each.close(),
    );
    const payments = settings.payments ? await createStripePayments(settings.payments, settings.payments.host) : null;
    closing(createBudgetAlerts({ database, mailer, link: page => people.link(page), webhooks, log }), each =>
      each.close(),
    );

    const app = closing(
      await createApp({
        log: logger,
        keys,
        sessions: people.sessions,
        publicUrl: settings.publicUrl,
        limiter,
        database,
        ...(settings.corsOrigins && { corsOrigins: settings.corsOrigins }),
        ...(settings.trustProxy !== undefined && { trustProxy: settings.trustProxy }),
      }),
      each => each.close(1000 * settings.stopSeconds),
    );
    telemetry.watchRequests(app);
    mountVectorRoutes(app, vectors);
    mountCatalogRoutes(app, models, id => trainedModels.languageModels(id));
    mountUsageRoutes(app, ledger, models);
    mountDatasetRoutes(app, { datasets, uploads });
    mountTrainingRoutes(app, trainedModels);
    mountGenerationRoutes(app, {
      engine,
      ledger,
      languageModels: createLanguageModels(models, trainedModels.findLanguage),
    });
    mountJobRoutes(app, jobs);
    mountWebhookRoutes(app, webhooks);
    mountTelemetryRoutes(app, { telemetry, engine, ledger, dataFolder: settings.dataFolder });
    mountAccountRoutes(app, { accounts, keys, models, audit });
    mountKeyRoutes(app, { accounts, keys, models, audit });
    series.watch(app);
    mountPeopleRoutes(app, people, { version: packageJson.version, payments: payments !== null });
    mountOwnKeyRoutes(app, {
      keys,
      models,
      audit,
      database,
      async budgetChanged(id) {
        ledger.keyChanged(id);
        await commit.flush();
      },
    });
    mountOwnAccountRoutes(app, { database, storage, ledger, accounts, models, quota, audit, deletion });
    mountBillingRoutes(app, {
      database,
      accounts,
      plans,
      ledger,
      audit,
      flush: () => commit.flush(),
      payments,
      seller: settings.invoiceFrom,
      link: page => people.link(page),
      log,
    });
    mountOperatorRoutes(app, { database, accounts, people, plans, models, engine, deletion, series, log });
    await mountConsole(app, settings.consoleFolder);
    mountReference(app, { version: packageJson.version });

    const preload = settings.preload ?? (await administratorsModel());
    let preloading = preload !== 'none';
    mountProbes(app, async () => {
      const answers = await Promise.race([
        database.query('SELECT 1').then(
          () => true,
          () => false,
        ),
        sleep(2000, false),
      ]);
      return {
        status: answers ? (preloading ? 'starting' : 'ready') : 'unavailable',
        models: shownModels(models, preload),
      };
    });
    await jobs.start();
    deletion.resume().catch((error: unknown) => {
      log('accounts.not_deleted', { message: error instanceof Error ? error.message : String(error) });
    });
    const url = await app.listen({ host: settings.host, port: settings.port });
    ownUrl = url;
    const firstLink = await people.firstLink(administrator.account);
    log('server.listening', { url, version: packageJson.version, data: settings.dataFolder });
    if (preloading) void prepareModel(preload).finally(() => (preloading = false));
    return { url, madeAdminKey: administrator.made, firstLink, close: closeAll };

    async function administratorsModel(): Promise<string> {
      return administrator.account.defaultModel;
    }

    /** Fetches and loads the model before the first request asks for it; a failure shows in /readyz and in the log. */
    async function prepareModel(alias: string): Promise<void> {
      try {
        await models.ensure(alias);
        await engine.count(models.modelHandle(alias), ['ready']);
      } catch (error) {
        log('server.preload_failed', { model: alias, message: error instanceof Error ? error.message : String(error) });
      }
    }
  } catch (error) {
    await closeAll().catch(() => {});
    throw error;
  }
}

/** The catalog and sources of the server's models, also for the command line. */
export function modelsOptions(settings: Settings, log: (event: string, fields: object) => void) {
  return {
    folder: settings.modelsFolder,
    catalogFiles: [shippedCatalog, join(settings.dataFolder, 'models.json')],
    hubEndpoint: settings.hubEndpoint,
    hubToken: settings.hubToken,
    pip: settings.python,
    s3: settings.s3,
    log,
  };
}

/** What /readyz shows without a key: how far a model is, and not from where. */
function shownModels(models: Models, preload: string): Record<string, object> {
  const shown = models.list().flatMap(({ alias }) => {
    const { state, progress, precision } = models.state(alias);
    if (alias !== preload && state === 'absent') return [];
    const bytes = progress && { done_bytes: progress.doneBytes, total_bytes: progress.totalBytes };
    return [[alias, { state, ...(precision && { precision }), ...bytes }] as const];
  });
  return Object.fromEntries(shown);
}

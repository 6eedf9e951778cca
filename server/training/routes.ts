// The routes of trained models.
import { routes } from '@vectorium/contract';
import { contentDisposition } from '../datasets/index.ts';
import { ApiError, type App, Raw, mount } from '../http/index.ts';
import { answerWithEvents, answerWithJob } from '../jobs/index.ts';
import { predictionBody } from './answer-json.ts';
import { progressOf, shownAlias, shownModel, shownTraining, shownWhole } from './answers.ts';
import type { TrainedModels } from './models.ts';

const trainWaitSeconds = 0;
/** How long the answer to a cancel waits for the training to stop. */
const cancelWaitSeconds = 2;

export function mountTrainingRoutes(app: App, models: TrainedModels): void {
  const { jobs, predictions } = models;

  mount(app, routes.trainModel, async context => {
    const { caller, body, signal } = context;
    const { model, job } = await models.train(body, { caller, signal });
    await answerWithJob(jobs, context, job, trainWaitSeconds);
    return shownTraining(await models.get(caller.account.id, model.id));
  });

  mount(app, routes.predict, async ({ caller, body, requestId, signal }) => {
    const { model_id: name, input, options } = body;
    const model = await predictions.ready(caller.account.id, name);
    if (model.ready.card.language) {
      const answered = await models.answer(model, {
        given: input.data,
        fields: options,
        asked: { caller, route: routes.predict.path, requestId, signal },
      });
      return { model_id: model.id, ...answered };
    }
    if (input.data.kind === 'prompts') {
      const message = `${name} is a model for ${model.type}: rows are objects, or lists in the order of its features`;
      throw new ApiError('INVALID_PARAMETER', { message, param: 'input.data[0]' });
    }
    const asked = { caller, route: routes.predict.path, requestId, signal };
    const predicted = await predictions.predict(model, input.data.table, asked);
    const { labels } = model.ready.card.target;
    return new Raw(predictionBody({ modelId: model.id, labels, predicted, withProbabilities: options.probabilities }));
  });

  mount(app, routes.listTrainedModels, async ({ caller, query: { limit, after } }) => {
    const page = await models.list(caller.account.id, { limit: limit + 1, after: after ?? null });
    return { data: page.slice(0, limit).map(shownModel), has_more: page.length > limit };
  });

  mount(app, routes.getTrainedModel, async ({ caller, params, ...context }) => {
    let known = await models.get(caller.account.id, params.id);
    if (known.job) {
      await answerWithJob(jobs, context, known.job, 0);
      known = await models.get(caller.account.id, params.id);
    }
    return shownWhole(known, await models.epochs(known));
  });

  mount(app, routes.deleteTrainedModel, async ({ caller, params }) => {
    const { id, countedBytes } = await models.remove(caller.account.id, params.id);
    return { model_id: id, freed_bytes: countedBytes, deleted: true as const };
  });

  mount(app, routes.downloadModel, async ({ caller, params, query: { format }, reply, signal }) => {
    const { model, bytes, stream, extension, contentType } = await models.download(params.id, format, {
      caller,
      signal,
    });
    reply.header('content-length', bytes);
    reply.header('content-disposition', contentDisposition(model.name ?? model.id, extension));
    return new Raw(stream, contentType);
  });

  mount(app, routes.getModelEvents, async ({ caller, params, query, headers, signal, reply, admitted }) => {
    const { model } = await models.get(caller.account.id, params.id);
    const job = await jobs.get(caller.account.id, model.jobId);
    if (!job) throw new ApiError('JOB_NOT_FOUND', { message: `The job of ${params.id} is not kept any more` });
    return answerWithEvents(jobs, { query, headers, signal, reply, admitted }, job);
  });

  mount(app, routes.cancelTraining, async ({ caller, params, signal }) => {
    const { id: accountId } = caller.account;
    const known = await models.cancel(accountId, params.id);
    const { status } = progressOf(known);
    if (status === 'running' || status === 'queued')
      await jobs.wait(accountId, known.model.jobId, { seconds: cancelWaitSeconds, signal });
    return shownModel(await models.get(accountId, known.model.id));
  });

  mount(app, routes.listModelAliases, async ({ caller }) => {
    return { data: (await models.aliases(caller.account.id)).map(shownAlias), has_more: false as const };
  });

  mount(app, routes.setModelAlias, async ({ caller, params, body }) =>
    shownAlias(await models.setAlias(caller.account.id, params.alias, body.model_id)),
  );

  mount(app, routes.deleteModelAlias, async ({ caller, params }) => {
    await models.removeAlias(caller.account.id, params.alias);
    return { alias: params.alias, deleted: true as const };
  });

  mount(app, routes.compareModels, ({ caller, body, requestId, signal }) =>
    models.compare(body, { caller, route: routes.compareModels.path, requestId, signal }),
  );
}

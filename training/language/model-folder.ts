// The folder of a language model: an adapter as PEFT and llama.cpp read it, or a whole model in Hugging Face's layout; `card.json` and
// `README.md` beside it.
import { ggufAdapter, type NamedTensor, peftFiles, safetensorsOf } from '@vectorium/nets';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of, writeWhole } from '../files.ts';
import type { Card } from '../types.ts';
import { columnNames, type Columns } from './columns.ts';
import type { Division } from './division.ts';
import type { LanguageProgress } from './loop.ts';
import type { Network } from './network.ts';
import type { LanguagePlan } from './plan.ts';
import { languageReadme } from './readme.ts';
import type { Samples } from './samples.ts';
import type { LanguageJob } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface Finished {
  job: LanguageJob;
  plan: LanguagePlan;
  columns: Columns;
  data: Samples;
  division: Division;
  network: Network;
  vocabulary: Vocabulary;
  progress: LanguageProgress;
  /** config.json of a model from scratch. */
  decoder: Record<string, unknown> | null;
}

export async function writeLanguageModel(folder: string, finished: Finished): Promise<Card> {
  const { network, job, plan, vocabulary, decoder } = finished;
  const tensors: NamedTensor[] = network.trained.map(({ name, shape }) => ({ name, shape, data: network.view(name) }));
  const json = (name: string, value: object) => writeWhole(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  if (job.base && plan.lora) {
    const { model, revision } = job.base;
    const { weights, config } = peftFiles(tensors, { lora: plan.lora, base: model, revision });
    await writeWhole(join(folder, 'adapter_model.safetensors'), ...weights);
    await json('adapter_config.json', config);
    const { architecture } = vocabulary;
    const gguf = ggufAdapter(tensors, { lora: plan.lora, config: network.config, architecture });
    await writeWhole(join(folder, 'adapter.gguf'), ...gguf);
  } else {
    const named = tensors.map(tensor => ({ ...tensor, name: `model.${tensor.name}` }));
    await writeWhole(join(folder, 'model.safetensors'), ...safetensorsOf(named, { format: 'pt' }));
    await json('config.json', { ...decoder, vocab_size: network.config.vocabulary });
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      await copyFile(join(job.folder, 'tokenizer', name), join(folder, name));
  }
  const described = describe(finished);
  await writeWhole(join(folder, 'README.md'), languageReadme(described));
  const files = [];
  for (const name of (await readdir(folder)).toSorted()) {
    const path = join(folder, name);
    files.push({ name, bytes: (await stat(path)).size, sha256: await sha256Of(path) });
  }
  const card: Card = { ...described, files };
  await json('card.json', card);
  return card;
}

export type DescribedModel = Omit<Card, 'files'> & Required<Pick<Card, 'language'>>;

function describe({ job, plan, columns, data, division, network, progress }: Finished): DescribedModel {
  const names = columnNames(columns);
  const { bestEpoch, bestLoss } = progress;
  const { base } = job;
  const total = data.samples.length + data.empty + data.withoutAnswer;
  const target = columns.kind === 'pairs' ? columns.completion : (Object.values(names)[0] ?? '');
  return {
    card: 1,
    kind: 'llm',
    algorithm: plan.lora ? 'lora' : 'scratch',
    created_at: new Date().toISOString(),
    dataset: job.dataset,
    features: [],
    target: { name: target, sql_type: 'VARCHAR', labels: null },
    encoder: null,
    config: {
      ...names,
      target,
      features: [],
      algorithm: plan.lora ? 'lora' : 'scratch',
      baseModel: base?.name ?? 'scratch',
      epochs: plan.epochs,
      batchSize: plan.batch,
      learningRate: plan.rate,
      maxLength: plan.maxLength,
      lora: plan.lora && { rank: plan.lora.rank, alpha: plan.lora.alpha, layers: [...plan.lora.layers] },
      validationSplit: plan.validation / (plan.training + plan.validation),
      earlyStopping: plan.earlyStopping,
      patience: plan.patience,
      seed: plan.seed,
      maxSeconds: job.config.maxSeconds ?? null,
      weightDecay: plan.weightDecay,
      threads: plan.threads,
    },
    rows: {
      total,
      training: plan.training,
      validation: plan.validation,
      test: 0,
      without_target: data.empty + data.withoutAnswer,
    },
    metrics: bestLoss === null ? null : { loss: bestLoss, perplexity: Math.exp(bestLoss) },
    metrics_on: bestLoss === null ? null : 'validation',
    curves: progress.curves,
    best_epoch: bestEpoch,
    stopped: progress.stopped ?? 'epochs',
    importance: [],
    left_out: [],
    parameters: network.values.length,
    seconds: progress.seconds,
    language: {
      base: base && { name: base.name, model: base.model, revision: base.revision, precision: base.precision },
      columns: names,
      lora: plan.lora && { rank: plan.lora.rank, alpha: plan.lora.alpha, layers: [...plan.lora.layers] },
      max_length: plan.maxLength,
      tokens: data.samples.tokensOf(division.training),
      samples: { longer: data.longer, without_answer: data.withoutAnswer, empty: data.empty },
      answers: progress.answers,
    },
  };
}

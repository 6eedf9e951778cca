// One run of a language model from its table to its folder, and what can be said before.
import { DecoderWeights, openDecoder } from '@vectorium/nets';
import { openReader, type Reader } from '@vectorium/tables';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LAYOUT } from '../checkpoint.ts';
import { checkConfig } from '../config.ts';
import { readIfThere, readShared, syncFolder, writeWhole } from '../files.ts';
import { readerBytes } from '../memory.ts';
import { readCard } from '../model-folder.ts';
import type { Limits } from '../protocol.ts';
import { randomNumbers } from '../random.ts';
import type { TrainContext } from '../train.ts';
import type { Card } from '../types.ts';
import { longestAnswered } from './answer.ts';
import { chooseColumns, columnNames, type Columns, rowsOf } from './columns.ts';
import { type Division, divided } from './division.ts';
import { trainLanguage } from './loop.ts';
import { writeLanguageModel } from './model-folder.ts';
import { Network } from './network.ts';
import {
  checkLanguageConfig,
  checkMemory,
  decoderOf,
  defaultMaxLength,
  type LanguagePlan,
  memoryOf,
  planLanguage,
  scratchConfig,
  secondsOf,
} from './plan.ts';
import { checkSamples, type Question, questionsOf, type Samples, samplesOf } from './samples.ts';
import type { BaseModel, LanguageConfig, LanguageEstimate, LanguageJob } from './types.ts';
import { learntVocabulary, type Vocabulary, vocabularyOf } from './vocabulary.ts';

type Asked = Pick<LanguageJob, 'source' | 'config' | 'base'>;

/** Rows that are looked at before a job starts; of more, the rest is taken to be alike. */
const checkedRows = 2000;
/** A token of a small tokenizer of one's own has about so many characters. */
const charactersOfToken = 2.5;
const answeredSamples = 3;

export async function estimateLanguage(
  reader: Reader,
  { config, base, scratch }: Asked & { scratch: string },
  limits: Limits,
): Promise<LanguageEstimate> {
  const columns = checked(reader, config, base !== null);
  const total = Number((await reader.query(`SELECT count(*)::DOUBLE AS n FROM ${reader.table}`))[0]?.['n'] ?? 0);
  const characters = await charactersOf(reader, columns);
  const { decoder, vocabulary, maxLength } = await beginning({
    reader,
    columns,
    config,
    base,
    folder: scratch,
    characters,
  });
  const data = await samplesOf(rowsOf(reader, columns), vocabulary, { maxLength, enough: checkedRows });
  checkSamples(data, maxLength);
  const scale = total / data.read;
  const samples = Math.round(data.samples.length * scale);
  const precision = base?.precision ?? null;
  const tokens = base ? Math.round(data.samples.tokens * scale) : Math.round(characters / charactersOfToken);
  const plan = planLanguage(config, { samples, tokens, maxLength, decoder: decoder.config, precision, limits });
  const memoryBytes = memoryOf(decoder.config, plan, precision);
  checkMemory(memoryBytes, limits);
  return {
    samples,
    tokens,
    longer: Math.round(data.longer * scale),
    memoryBytes,
    seconds: secondsOf(decoder.config, plan, tokens),
  };
}

export async function trainLanguageModel(job: LanguageJob, context: TrainContext): Promise<Card> {
  const began = performance.now();
  const made = await readCard(job.target);
  // The process was killed after its last stage, before it could say so.
  if (made) return made;
  const { folder, config, base } = job;
  const { limits, signal, event, progress } = context;
  await mkdir(folder, { recursive: true });
  const reader = await openReader({
    source: job.source,
    scratch: folder,
    memoryBytes: readerBytes(limits),
    maxSpillBytes: 16 * 2 ** 30,
  });
  let gathered: Gathered;
  try {
    gathered = await gather(reader, job, limits);
  } finally {
    reader.close();
  }
  const { columns, decoder, vocabulary, data, plan, division, questions } = gathered;
  signal.throwIfAborted();
  const network = await Network.open({
    config: decoder.config,
    settings: {
      weightDecay: plan.weightDecay,
      clip: plan.clip,
      keep: plan.keep,
      longest: Math.max(plan.maxLength, longestAnswered),
    },
    threads: plan.threads,
    learners: plan.learners,
    base: base && (await frozenBase(base, folder)),
    lora: plan.lora,
  });
  try {
    begin(network, plan);
    event('started', {
      rows: { training: plan.training, validation: plan.validation, test: 0 },
      features: Object.keys(columnNames(columns)).length,
      algorithm: plan.lora ? 'lora' : 'scratch',
      parameters: network.values.length,
    });
    const ended = await trainLanguage(
      network,
      { plan, samples: data.samples, division, questions, vocabulary },
      {
        checkpoint: join(folder, 'checkpoint'),
        checkpointSeconds: limits.checkpointSeconds,
        maxSeconds: config.maxSeconds ?? null,
        elapsed: () => (performance.now() - began) / 1000,
        signal,
        onEpoch: epoch => event('epoch', epoch),
        onAnswer: answer => event('answer', answer),
        progress: fraction => progress(0.98 * fraction),
      },
    );
    const partial = `${job.target}.part`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const card = await writeLanguageModel(partial, {
      job,
      plan,
      columns,
      data,
      division,
      network,
      vocabulary,
      progress: ended,
      decoder: decoder.json,
    });
    await rename(partial, job.target);
    await syncFolder(dirname(job.target));
    return card;
  } finally {
    await network.release();
  }
}

interface Gathered extends Beginning {
  columns: Columns;
  data: Samples;
  plan: LanguagePlan;
  division: Division;
  questions: Question[];
}

/** All that a run takes from its table. */
async function gather(reader: Reader, { folder, config, base }: LanguageJob, limits: Limits): Promise<Gathered> {
  const columns = checked(reader, config, base !== null);
  const characters = await charactersOf(reader, columns);
  const started = await beginning({ reader, columns, config, base, folder, characters });
  const { decoder, vocabulary, maxLength } = started;
  const data = await samplesOf(rowsOf(reader, columns), vocabulary, { maxLength });
  checkSamples(data, maxLength);
  const { samples } = data;
  const plan = await planOf(folder, () => {
    const wanted = planLanguage(config, {
      samples: samples.length,
      tokens: samples.tokens,
      maxLength,
      decoder: decoder.config,
      precision: base?.precision ?? null,
      limits,
    });
    const { training, validation } = divided(samples.rows, wanted);
    return { ...wanted, training: training.length, validation: validation.length };
  });
  const division = divided(samples.rows, plan);
  const { training, validation } = division;
  const chosen = Array.from((validation.length > 0 ? validation : training).slice(0, answeredSamples));
  const questions = await questionsOf(rowsOf(reader, columns), vocabulary, { samples, chosen });
  return { ...started, columns, data, plan, division, questions };
}

function checked(reader: Reader, config: LanguageConfig, hasBase: boolean): Columns {
  const { epochs, batchSize, learningRate, validationSplit, seed, maxSeconds } = config;
  checkConfig({
    ...(epochs !== undefined && { epochs }),
    ...(batchSize !== undefined && { batchSize }),
    ...(learningRate !== undefined && { learningRate }),
    ...(validationSplit !== undefined && { validationSplit }),
    ...(seed !== undefined && { seed }),
    ...(maxSeconds !== undefined && { maxSeconds }),
  });
  checkLanguageConfig(config, hasBase);
  return chooseColumns(reader, config);
}

async function charactersOf(reader: Reader, columns: Columns): Promise<number> {
  let characters = 0;
  for await (const text of textsOf(reader, columns)) characters += text.length;
  return characters;
}

async function* textsOf(reader: Reader, columns: Columns): AsyncGenerator<string> {
  for await (const row of rowsOf(reader, columns)) {
    if (row === null) continue;
    if ('text' in row) yield row.text;
    else for (const { content } of row.messages) yield content;
  }
}

interface Beginning {
  decoder: { config: ReturnType<typeof decoderOf>; json: Record<string, unknown> | null };
  vocabulary: Vocabulary;
  maxLength: number;
}

/** The model's shape and its words, before it learns anything. */
async function beginning({
  reader,
  columns,
  config,
  base,
  folder,
  characters,
}: {
  reader: Reader;
  columns: Columns;
  config: LanguageConfig;
  base: BaseModel | null;
  folder: string;
  characters: number;
}): Promise<Beginning> {
  if (base) {
    const source = await openDecoder(base.path);
    const maxLength = Math.min(config.maxLength ?? defaultMaxLength, source.config.maxTokens);
    return { decoder: { config: source.config, json: null }, vocabulary: await vocabularyOf(base), maxLength };
  }
  const maxLength = config.maxLength ?? defaultMaxLength / 2;
  const json = scratchConfig(characters, maxLength);
  const vocabulary = await learntVocabulary(folder, () => textsOf(reader, columns), decoderOf(json).vocabulary);
  const whole = { ...json, vocab_size: vocabulary.tokenizer.vocabularySize };
  return { decoder: { config: decoderOf(whole), json: whole }, vocabulary, maxLength };
}

/** The plan with which the run began, unless a program of another layout made it. */
async function planOf(folder: string, make: () => LanguagePlan): Promise<LanguagePlan> {
  const path = join(folder, 'plan.json');
  const kept = await readIfThere(path);
  const { layout, plan } = kept ? (JSON.parse(kept.toString()) as Partial<KeptPlan>) : {};
  if (plan && layout === LAYOUT) return plan;
  const made: KeptPlan = { layout: LAYOUT, plan: make() };
  await writeWhole(path, JSON.stringify(made));
  return made.plan;
}

interface KeptPlan {
  layout: number;
  plan: LanguagePlan;
}

/** The base's matrices in one file of the job's folder. */
async function frozenBase(base: BaseModel, folder: string) {
  const weights = new DecoderWeights(await openDecoder(base.path), {
    precision: base.precision,
    version: base.revision,
    form: 'rows',
  });
  return {
    weights,
    async bytes() {
      const path = join(folder, weights.file);
      if (!(await stat(path).catch(() => null))) {
        await weights.write(`${path}.part`);
        await rename(`${path}.part`, path);
      }
      return readShared(path);
    },
  };
}

/** Adapters start by adding nothing, A as PEFT draws it: uniform within ±1/√inner (He et al. 2015 with a = √5). Weights of a model
 *  from scratch are drawn as Llama's: a normal distribution of 0.02, norms of 1. */
function begin(network: Network, plan: LanguagePlan): void {
  const random = randomNumbers(plan.seed, 0, 3);
  for (const { name, shape } of network.trained) {
    const values = network.view(name);
    const inner = shape.at(-1) ?? 1;
    if (name.endsWith('.a')) for (let i = 0; i < values.length; i++) values[i] = (2 * random() - 1) / Math.sqrt(inner);
    else if (name.endsWith('.b')) values.fill(0);
    else if (shape.length === 1) values.fill(1);
    else for (let i = 0; i < values.length; i++) values[i] = 0.02 * normal(random);
  }
}

/** Box and Muller 1958. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

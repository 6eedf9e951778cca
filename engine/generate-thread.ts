// The thread that holds one language model: its sessions, its tokenizer, the memory of its texts, the adapters over it. Started by
// GenerateThread.
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { compileDecoder, type Language, openAdapter, openLanguage } from '@vectorium/nets';
import { InferenceSession } from 'onnxruntime-node';
import { availableCores } from './cores.ts';
import { EngineError } from './errors.ts';
import { Forms } from './forms/forms.ts';
import { FormRefused } from './forms/grammar.ts';
import { CachePool } from './generation/caches.ts';
import { Groups } from './generation/groups.ts';
import { Runner, type Sessions } from './generation/runner.ts';
import { Schedule } from './generation/schedule.ts';
import { AdapterStacks } from './generation/stacks.ts';
import type { FormRefusal, FromGenerate, GenerateThreadData, ToGenerate } from './protocol.ts';

const port = parentPort;
if (!port) throw new Error('generate-thread.ts runs in a worker thread');
const data: GenerateThreadData = workerData;
/** Of this thread and, by inheritance, of those that its sessions start: a vector takes milliseconds and goes first (three parts
 *  to one), and trainings, which have 10, come last. */
const niceness = 5;
setPriority(niceness);

const places = 8;
const stacks = new AdapterStacks();
/** With adapters or without; each session once it is needed. */
const sets = new Map<boolean, Sessions>();
const made: InferenceSession[] = [];
let language: Language | null = null;
let vocabulary = 0;
let pool: CachePool | null = null;
let groups: Groups | null = null;
let schedule: Schedule | null = null;
let forms: Forms | null = null;
let weightBytes = 0;
/** Of texts and their copies. */
let toldBytes = 0;
let turning = false;

port.on('message', (message: ToGenerate) => {
  answer(message).catch((error: unknown) => {
    const job = 'job' in message ? message.job : null;
    send({ type: 'failed', job, message: error instanceof Error ? error.message : String(error) });
  });
});

async function answer(message: ToGenerate): Promise<void> {
  switch (message.type) {
    case 'compile': {
      const graphs = await compiled(false);
      weightBytes = graphs.weightBytes;
      return send({ type: 'compiled', weightBytes, maxTokens: graphs.config.maxTokens });
    }
    case 'create': {
      const { config } = await compiled(false);
      language = await openLanguage(data.path);
      ({ vocabulary } = config);
      const { prompt, next } = sessionsOf(false);
      await Promise.all([prompt(), next()]);
      pool = new CachePool(config, message.cacheBytes);
      groups = new Groups(config, pool);
      const runner = new Runner({ config, sessions: sessionsOf, stacks, groups });
      const piece = (job: number, told: (FromGenerate & { type: 'piece' })['piece']) =>
        send({ type: 'piece', job, piece: told });
      const failed = (job: number, reason: string) => send({ type: 'failed', job, message: reason });
      const pieces = language.tokenizer.pieces?.() ?? null;
      forms = pieces && formsOf(pieces, language);
      schedule = new Schedule({ runner, pool, forms, language, pieces, places, piece, failed });
      return send({ type: 'created', tokenBytes: pool.bytesOf(1) });
    }
    case 'encode':
      return send({ type: 'encoded', job: message.job, ...encoded(message) });
    case 'form':
      return send({ type: 'formed', job: message.job, refusal: await refusalOf(message.schema) });
    case 'adapter': {
      const { path, precision } = data;
      const adapter = await openAdapter(path, { precision, files: message.files });
      stacks.adapters.set(message.adapter, adapter);
      return send({ type: 'adapterLoaded', job: message.job, bytes: adapter.bytes });
    }
    case 'start':
      schedule?.add({ ...message, ids: [...message.ids] });
      return turn();
    case 'cancel':
      return schedule?.cancel(message.job);
    case 'forget':
      if (message.adapter !== null) stacks.drop(message.adapter);
      pool?.forget(message.adapter ?? undefined);
      return tell();
    case 'close':
      forms?.close();
      for (const session of made) await session.release();
      port?.close();
  }
}

/** The graph lets messages in between two runs, since a run is begun by the event loop. */
async function turn(): Promise<void> {
  if (turning || !schedule) return;
  turning = true;
  while (!schedule.idle) {
    try {
      await schedule.step();
      if (pool?.bytes !== toldBytes) tell();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      for (const job of schedule.clear()) send({ type: 'failed', job, message: reason });
    }
  }
  turning = false;
  groups?.clear();
  tell();
}

function encoded({ prompt }: ToGenerate & { type: 'encode' }): { ids: Int32Array } | { ids: null; refusal: string } {
  if (!language) throw new Error('no model was created');
  const { tokenizer, encodeChat } = language;
  if ('ids' in prompt) {
    const unknown = prompt.ids.find(id => id >= vocabulary);
    if (unknown === undefined) return { ids: Int32Array.from(prompt.ids) };
    return { ids: null, refusal: `token ${unknown} is none of the ${vocabulary} that the model has` };
  }
  if ('text' in prompt) {
    const { ids } = tokenizer.encode(prompt.text);
    return { ids: Int32Array.from([...tokenizer.before, ...ids]) };
  }
  if (!encodeChat)
    return { ids: null, refusal: 'the model has no template for conversations; give it a text to continue' };
  try {
    return { ids: Int32Array.from(encodeChat(prompt.messages)) };
  } catch (error) {
    return { ids: null, refusal: error instanceof Error ? error.message : String(error) };
  }
}

/** None for a tokenizer whose tokens stand for no bytes that could be looked at one by one. */
function formsOf(known: readonly string[], { ends }: Language): Forms {
  // Models have a row or two more than there are tokens.
  const pieces = Array.from({ length: vocabulary }, (_, id) => known[id] ?? '');
  return new Forms({ pieces, ends: [...ends].filter(id => id < vocabulary) });
}

async function refusalOf(schema: string): Promise<FormRefusal | null> {
  if (!forms)
    return { code: 'FORM_REFUSED', message: "answers in a form are not supported with this model's tokenizer" };
  try {
    await forms.prepare(schema);
    tell();
    return null;
  } catch (error) {
    if (error instanceof FormRefused) return { code: 'FORM_REFUSED', message: error.message };
    if (!(error instanceof EngineError)) throw error;
    const { code, message, retryAfterSeconds } = error;
    return { code, message, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
  }
}

function compiled(adapters: boolean) {
  const folder = data.path.endsWith('.gguf') ? dirname(data.path) : data.path;
  return compileDecoder(data.path, { precision: data.precision, adapters, folder });
}

/** Without adapters there are fewer operators, so those sessions are others. */
function sessionsOf(adapters: boolean): Sessions {
  const known = sets.get(adapters);
  if (known) return known;
  const of = (graph: keyof Sessions) => once(async () => createSession((await compiled(adapters))[graph]));
  const sessions = { prompt: of('prompt'), next: of('next') };
  sets.set(adapters, sessions);
  return sessions;
}

/** Makes a session when it is first asked for, and again if that failed. */
function once(make: () => Promise<InferenceSession>): () => Promise<InferenceSession> {
  let session: Promise<InferenceSession> | null = null;
  return () => {
    session ??= make().catch((error: unknown) => {
      session = null;
      throw error;
    });
    return session;
  };
}

async function createSession(path: string): Promise<InferenceSession> {
  const session = await InferenceSession.create(path, {
    intraOpNumThreads: availableCores(),
    interOpNumThreads: 1,
    // As for encoders (session-thread.ts): long enough to be there for the next operator, not to be in the way of others.
    extra: { session: { 'intra_op.spin_duration_us': '50' } },
    graphOptimizationLevel: 'all',
    enableMemPattern: false,
    logSeverityLevel: 4,
  });
  made.push(session);
  return session;
}

/** What is in memory; each session packs the weights for itself. */
function tell(): void {
  toldBytes = pool?.bytes ?? 0;
  send({
    type: 'resident',
    bytes: sets.size * weightBytes + toldBytes + stacks.bytes + (forms?.bytes ?? 0),
  });
}

function send(message: FromGenerate): void {
  port?.postMessage(message);
}

// The thread that holds one model's tokenizer: tokenises, counts and chunks, long texts in slices. Started by TextThread.
import { parentPort, workerData } from 'node:worker_threads';
import { type Chunk, chunkSteps, type Encoding, loadTokenizer, type Tokenizer } from '@vectorium/nets';
import type { Chunking, FromText, TextAnswer, TextThreadData, ToText } from './protocol.ts';
import { Slices } from './slices.ts';

const port = parentPort;
if (!port) throw new Error('text-thread.ts runs in a worker thread');
const data: TextThreadData = workerData;
const slices = new Slices();
let turning = false;

// Messages wait in the port until the tokenizer is there.
try {
  const tokenizer = await loadTokenizer(data.folder);
  port.on('message', (message: ToText) => {
    if (message.type === 'close') port.close();
    else if (message.type === 'cancel') slices.cancel(message.job);
    else {
      slices.add(message.job, job(tokenizer, message));
      // A text that comes while nothing runs is done at once, in its own message's turn.
      if (!turning) turn();
    }
  });
} catch (error) {
  send({ type: 'unusable', message: messageOf(error) });
  port.close();
}

/** Runs one slice, then lets waiting messages in before the next. */
function turn(): void {
  slices.turn();
  turning = slices.size > 0;
  if (turning) setImmediate(turn);
}

type Job = Exclude<ToText, { type: 'close' | 'cancel' }>;

function* job(tokenizer: Tokenizer, message: Job): Generator<void, void> {
  try {
    const answer = yield* work(tokenizer, message);
    send(
      answer,
      Object.values(answer).flatMap(value => (value instanceof Int32Array ? [value.buffer] : [])),
    );
  } catch (error) {
    send({ type: 'failed', job: message.job, message: messageOf(error) });
  }
}

function* work(tokenizer: Tokenizer, message: Job): Generator<void, TextAnswer> {
  switch (message.type) {
    case 'prepare':
      return yield* prepare(tokenizer, message);
    case 'count': {
      const tokens = new Int32Array(message.texts.length);
      for (const [index, text] of message.texts.entries()) {
        tokens[index] = (yield* tokenizer.encodeSteps(text)).ids.length;
        yield;
      }
      return { type: 'counted', job: message.job, tokens };
    }
    case 'tokenize': {
      const { ids, starts, ends } = yield* tokenizer.encodeSteps(message.text);
      return { type: 'tokenized', job: message.job, ids: ids.slice(), starts: starts.slice(), ends: ends.slice() };
    }
    case 'frame':
      return {
        type: 'frame',
        job: message.job,
        before: Int32Array.from([...tokenizer.before, ...prefixIds(tokenizer, message.prefix)]),
        after: tokenizer.after.slice(),
      };
  }
}

function* prepare(
  tokenizer: Tokenizer,
  { job: id, texts, chunking }: ToText & { type: 'prepare' },
): Generator<void, TextAnswer> {
  const options = { maxTokens: roomForText(tokenizer, chunking), overlap: chunking.overlap, method: chunking.method };
  const encodings: Encoding[] = [];
  const chunks: Chunk[][] = [];
  for (const text of texts) {
    const encoding = yield* tokenizer.encodeSteps(text);
    encodings.push(encoding);
    chunks.push(yield* chunkSteps(text, encoding, options));
    yield;
  }
  const ids = new Int32Array(encodings.reduce((sum, encoding) => sum + encoding.ids.length, 0));
  let at = 0;
  for (const encoding of encodings) {
    ids.set(encoding.ids, at);
    at += encoding.ids.length;
  }
  return {
    type: 'prepared',
    job: id,
    ids,
    tokens: Int32Array.from(encodings, encoding => encoding.ids.length),
    chunks: Int32Array.from(chunks, list => list.length),
    spans: Int32Array.from(chunks.flat().flatMap(({ start, end, from, to }) => [start, end, from, to])),
  };
}

/** A chunk with special tokens and prefix never exceeds what the model takes. */
function roomForText(tokenizer: Tokenizer, { chunkSize, maxTokens, prefix }: Chunking): number {
  const frame = tokenizer.before.length + tokenizer.after.length + prefixIds(tokenizer, prefix).length;
  return Math.max(1, Math.min(chunkSize, maxTokens - frame));
}

/**
 * Tokens of a prefix that stands before a text. Its last space belongs to the text's first word in every tokenizer that
 * marks spaces, and to none in the others; encoded alone it would become a token of its own.
 */
function prefixIds(tokenizer: Tokenizer, prefix: string): Int32Array {
  return prefix === '' ? new Int32Array() : tokenizer.encode(prefix.trimEnd()).ids;
}

function send(message: FromText, transfer: ArrayBufferLike[] = []): void {
  port?.postMessage(
    message,
    transfer.filter(buffer => buffer instanceof ArrayBuffer),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

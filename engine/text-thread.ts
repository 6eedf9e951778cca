// The thread that holds one model's tokenizer: tokenises, counts and chunks, long texts in slices. Started by TextThread.
import { parentPort, workerData } from 'node:worker_threads';
import { loadTokenizer, type Tokenizer } from '@vectorium/nets';
import { frameOf, packed, prepareSteps } from './prepare.ts';
import type { FromText, TextAnswer, TextThreadData, ToText } from './protocol.ts';
import { Slices } from './slices.ts';

const port = parentPort;
if (!port) throw new Error('text-thread.ts runs in a worker thread');
const data: TextThreadData = workerData;
const slices = new Slices();
let turning = false;

// Messages wait in the port until the tokenizer is there.
try {
  const tokenizer = await loadTokenizer(data.folder);
  if (tokenizer.tables) send({ type: 'loaded', tables: tokenizer.tables });
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
    case 'prepare': {
      const texts = yield* prepareSteps(tokenizer, message.texts, message.chunking);
      return { type: 'prepared', job: message.job, ...packed(texts) };
    }
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
      return { type: 'frame', job: message.job, ...frameOf(tokenizer, message.prefix) };
  }
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

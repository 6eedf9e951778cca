// Predictions as JSON, piece by piece, so that a hundred thousand rows never hold up other requests.
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { MAX_NUMBER_BYTES, writeFloat32s } from '../vectors/index.ts';
import type { Predicted } from './predictions.ts';

export interface PredictAnswer {
  modelId: string;
  /** Null of numbers. */
  labels: readonly (string | number | boolean)[] | null;
  predicted: Predicted;
  withProbabilities: boolean;
}

/** Less than a millisecond of printing. */
const rowsAtOnce = 1000;

/** One buffer, or a stream that lets others have a turn between any two pieces. */
export function predictionBody(answer: PredictAnswer): Buffer | Readable {
  const pieces = piecesOf(answer);
  if (answer.predicted.values.length <= rowsAtOnce) return Buffer.concat([...pieces]);
  return Readable.from(inTurns(pieces), { objectMode: false });
}

async function* inTurns(pieces: Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for (const piece of pieces) {
    yield piece;
    await turn();
  }
}

function* piecesOf({ modelId, labels, predicted, withProbabilities }: PredictAnswer): Generator<Buffer, void, void> {
  const { values, probabilities, tokens } = predicted;
  const rows = values.length;
  const labelTexts = labels?.map(label => JSON.stringify(label));
  yield Buffer.from(`{"model_id":${JSON.stringify(modelId)},"predictions":[`);
  for (let from = 0; from < rows; from += rowsAtOnce) {
    const texts = Array.from(values.subarray(from, from + rowsAtOnce), value =>
      labelTexts ? (labelTexts[value] ?? 'null') : JSON.stringify(value),
    );
    yield Buffer.from((from > 0 ? ',' : '') + texts.join(','));
  }
  if (labels && probabilities && withProbabilities) {
    yield Buffer.from('],"probabilities":[');
    const keys = labels.map(label => Buffer.from(`${JSON.stringify(String(label))}:`));
    const rowsAPiece = Math.max(1, Math.ceil(rowsAtOnce / keys.length));
    for (let from = 0; from < rows; from += rowsAPiece)
      yield probabilityPiece(probabilities, keys, { from, to: Math.min(rows, from + rowsAPiece) });
  }
  const usage = { rows, prompt_tokens: tokens, total_tokens: tokens };
  yield Buffer.from(`],"usage":${JSON.stringify(usage)}}`);
}

const comma = 0x2c;
const open = 0x7b;
const close = 0x7d;

/** `{"no":0.18,"yes":0.82},…` with a comma before all rows but the first. */
function probabilityPiece(
  probabilities: Float32Array,
  keys: readonly Buffer[],
  { from, to }: { from: number; to: number },
): Buffer {
  const keyBytes = keys.reduce((sum, key) => sum + key.length, 0);
  const bytes = Buffer.allocUnsafe((to - from) * (keyBytes + keys.length * (MAX_NUMBER_BYTES + 1) + 3));
  let at = 0;
  for (let row = from; row < to; row++) {
    if (row > 0) bytes[at++] = comma;
    bytes[at++] = open;
    for (const [index, key] of keys.entries()) {
      if (index > 0) bytes[at++] = comma;
      at += key.copy(bytes, at);
      const place = row * keys.length + index;
      at = writeFloat32s(probabilities, { from: place, to: place + 1 }, bytes, at);
    }
    bytes[at++] = close;
  }
  return bytes.subarray(0, at);
}

// Language models as callers have them, through the engine's door, beside llama.cpp: `node bench/llm/generate.ts <model.gguf> [encoder]`.
//
// The time until the first token of a prompt of 500 tokens, and the rate at which 1 and 8 callers get tokens at a context of about
// 128, both in turns with llama.cpp on the same file, threads and bits; the median and the best of the rounds. Then what vectors of
// one short text take, alone and while eight callers are answered, in turns: `encoder` is the folder of a mean-pooled model of 384 dimensions.
// For llama.cpp see decode.ts.
import { createEngine, type DecoderHandle, type GenerateOptions, type ModelHandle } from '@vectorium/engine';
import { openLlama } from './llama.ts';

const PROMPT = 500;
const CONTEXT = 128;
const TOKENS = 24;
const ROUNDS = 3;
const VECTORS = 300;

const [path = '', encoder] = process.argv.slice(2);
const model: DecoderHandle = { id: 'bench', path, precision: 'q8', maxTokens: 8192 };
const engine = createEngine();
const options: GenerateOptions = {
  maxTokens: TOKENS,
  temperature: 0,
  topP: 1,
  topK: null,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 1,
  stop: [],
  logprobs: null,
  form: null,
  // Otherwise answers of different lengths can't be counted together.
  ignoreEnds: true,
};
let prompts = 0;

const before = process.memoryUsage().rss;
await answer(CONTEXT, 2);
const held = process.memoryUsage().rss - before;
const beforeLlama = process.memoryUsage().rss;
const llama = await openLlama(path);
const heldLlama = process.memoryUsage().rss - beforeLlama;
console.log(
  `memory: Vectorium ${megabytes(held)}${llama ? `, llama.cpp ${megabytes(heldLlama)} without its context` : ''}`,
);

const first = { ours: [] as number[], theirs: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  first.ours.push((await answer(PROMPT, 1)).firstMs);
  if (llama) first.theirs.push(await llama.prompt(PROMPT));
}
console.log(`first token of ${PROMPT}: Vectorium ${shown(first.ours)} ms, llama.cpp ${shown(first.theirs)} ms`);

for (const callers of [1, 8]) {
  const rates = { ours: [] as number[], theirs: [] as number[] };
  const steps = await llama?.steps(callers, CONTEXT, ROUNDS * TOKENS + 8);
  for (let round = 0; round < ROUNDS; round++) {
    // Prompts are computed one after the other, and the first answer must not end before the last begins.
    const tokens = callers === 1 ? TOKENS : TOKENS + 5 * callers;
    const answers = await Promise.all(Array.from({ length: callers }, () => answer(CONTEXT, tokens)));
    // From when the last has begun until the first ends, all go on together.
    const [from, to] = [Math.max(...answers.map(each => each.begun)), Math.min(...answers.map(each => each.ended))];
    const counted = answers.flatMap(({ times }) => times.filter(time => time > from && time <= to)).length;
    rates.ours.push((1000 * counted) / (to - from));
    if (!steps) continue;
    const started = performance.now();
    for (let step = 0; step < TOKENS; step++) await steps.step();
    rates.theirs.push((1000 * callers * TOKENS) / (performance.now() - started));
  }
  await steps?.close();
  console.log(`${callers} callers: Vectorium ${shown(rates.ours)} tokens/s, llama.cpp ${shown(rates.theirs)} tokens/s`);
}
await llama?.close();

if (encoder) {
  const handle: ModelHandle = {
    id: 'encoder',
    folder: encoder,
    pooling: 'mean',
    maxTokens: 512,
    dimension: 384,
    normalize: true,
    prefixes: {},
  };
  await vectorTimes(handle, 20);
  const idle: number[] = [];
  const beside: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await vectorTimes(handle, VECTORS);
    const over = new AbortController();
    const callers = Array.from({ length: 8 }, async () => {
      while (!over.signal.aborted) await answer(CONTEXT, TOKENS);
    });
    await new Promise(resolve => setTimeout(resolve, 1000));
    const together = await vectorTimes(handle, VECTORS);
    over.abort();
    await Promise.all(callers);
    idle.push(...alone);
    beside.push(...together);
    ratios.push(at(together, 0.99) / at(alone, 0.99));
  }
  const ratio = at(ratios, 0.5).toFixed(2);
  console.log(
    `a vector alone: ${percentiles(idle)}; beside eight answers: ${percentiles(beside)}; ratio of p99 ${ratio}`,
  );
}
await engine.close();

/** Every prompt is another, so that nothing is shared. */
async function answer(promptTokens: number, maxTokens: number) {
  const prompt = Int32Array.from({ length: promptTokens }, (_, i) => 100 + ((i * 37 + prompts * 7919) % 5000));
  prompts++;
  const started = performance.now();
  const times: number[] = [];
  for await (const piece of engine.generate(model, { prompt, adapter: null, options: { ...options, maxTokens } })) {
    while (times.length < piece.tokens) times.push(performance.now());
  }
  const [begun = started] = times;
  return { firstMs: begun - started, begun, ended: times.at(-1) ?? started, times };
}

async function vectorTimes(handle: ModelHandle, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const text = `Where can I read about number ${i} of the list?`;
    const prepared = await engine.prepare(handle, [text], { chunkSize: 512, overlap: 0, method: 'sentence_aware' });
    await engine.embed(handle, prepared, {});
    times.push(performance.now() - started);
  }
  return times;
}

function shown(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0
    ? '–'
    : `${sorted[sorted.length >> 1]?.toFixed(0)} (${sorted.map(each => each.toFixed(0)).join(' ')})`;
}

function percentiles(times: readonly number[]): string {
  return `p50 ${at(times, 0.5).toFixed(1)} ms, p99 ${at(times, 0.99).toFixed(1)} ms`;
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

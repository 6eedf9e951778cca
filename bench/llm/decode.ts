// A language model's prompts and answers beside llama.cpp: `node bench/llm/decode.ts <model.gguf> [precision]`.
//
// Both read the same file and use two threads. 1 and 8 texts that are `context` tokens long go on by one token each, again
// and again; the time is that of one such step. Both take turns, round by round; the least and the median time are printed,
// since other work on the machine only ever adds. llama.cpp comes from the package node-llama-cpp in the folder
// VECTORIUM_BENCH_LLAMA, where it was installed with `npm install --ignore-scripts --omit=optional node-llama-cpp` and the
// package of the platform, such as @node-llama-cpp/linux-x64; without it only Vectorium is measured.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheNames, compileDecoder, type DecoderConfig, type Precision } from '@vectorium/nets';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { openLlama } from './llama.ts';
import { productsGraph } from './products.ts';

const CONTEXTS = [128, 512, 2048];
const CALLERS = [1, 8];
const PROMPT = 500;
const ROUNDS = 3;
const STEPS = 8;

/** One step of all texts in milliseconds. */
interface Steps {
  step(): Promise<number>;
  close(): Promise<void>;
}

const [model = '', precision = 'q8'] = process.argv.slice(2);
const folder = process.env['VECTORIUM_BENCH_COMPILED'] ?? (await mkdtemp(join(tmpdir(), 'vectorium-bench-')));
try {
  const llama = await openLlama(model);
  const graphs = await compileDecoder(model, { precision: precision as Precision, folder });
  const { config } = graphs;

  const prompt = await session(graphs.prompt);
  const ours = await least(() => promptTime(prompt, config));
  const theirs = llama && (await least(() => llama.prompt(PROMPT)));
  console.log(
    `prompt of ${PROMPT} tokens: Vectorium ${rate(PROMPT, ours)}, llama.cpp ${theirs ? rate(PROMPT, theirs) : '–'}`,
  );
  await prompt.release();

  const bare = precision === 'f32' ? null : await session(productsGraph(config, precision === 'q4' ? 'q4' : 'q8'));
  const systems = ['Vectorium', ...(bare ? ['its products alone'] : []), ...(llama ? ['llama.cpp'] : [])];
  console.log(
    `| callers | context | ${systems.map(name => `${name} ms (median) | tokens/s`).join(' | ')} |\n|${'---|'.repeat(2 + 2 * systems.length)}`,
  );
  const next = await session(graphs.next);
  for (const callers of CALLERS) {
    for (const context of CONTEXTS) {
      const pair: Steps[] = [ourSteps(next, { config, callers, context })];
      if (bare) pair.push(productSteps(bare, callers, config.hidden));
      if (llama) pair.push(await llama.steps(callers, context, ROUNDS * STEPS + 8));
      const times = pair.map((): number[] => []);
      for (let round = 0; round < ROUNDS; round++)
        for (const [i, system] of pair.entries())
          for (let step = 0; step < STEPS; step++) times[i]?.push(await system.step());
      const cells = times.map(all => {
        const sorted = all.toSorted((a, b) => a - b);
        const [best = NaN, median = NaN] = [sorted[0], sorted[sorted.length >> 1]];
        return `${best.toFixed(1)} (${median.toFixed(1)}) | ${((callers * 1000) / best).toFixed(0)}`;
      });
      console.log(`| ${callers} | ${context} | ${cells.join(' | ')} |`);
      for (const system of pair) await system.close();
    }
  }
  await next.release();
  await bare?.release();
  await llama?.close();
} finally {
  if (!process.env['VECTORIUM_BENCH_COMPILED']) await rm(folder, { recursive: true });
}

function rate(tokens: number, ms: number): string {
  return `${((1000 * tokens) / ms).toFixed(0)} tokens/s`;
}

function session(path: string | Uint8Array): Promise<InferenceSession> {
  const options = { intraOpNumThreads: 2, logSeverityLevel: 3 } as const;
  return typeof path === 'string' ? InferenceSession.create(path, options) : InferenceSession.create(path, options);
}

async function least(run: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 3; i++) best = Math.min(best, await run());
  return best;
}

/** The inputs and outputs that are the caches, whose last `tokens` rows are new. Prompts take only the others. */
function caches(
  config: DecoderConfig,
  { texts, total, tokens, past = total }: { texts: number; total: number; tokens: number; past?: number },
) {
  const { layers, keyValueHeads, headSize } = config;
  const columns = texts * keyValueHeads;
  const size = columns * headSize;
  const feeds: Record<string, Tensor> = {};
  const fetches: Record<string, Tensor | null> = { logits: null };
  for (let layer = 0; layer < layers; layer++) {
    for (const { input, output } of Object.values(cacheNames(layer))) {
      const rows = new Float32Array(total * size).fill(0.01);
      feeds[input] = new Tensor('float32', rows.subarray(0, past * size), [past, columns, 1, headSize]);
      const added = [tokens * texts, keyValueHeads, headSize];
      fetches[output] = new Tensor('float32', rows.subarray((total - tokens) * size), added);
    }
  }
  return { feeds, fetches };
}

function whole(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

async function promptTime(graph: InferenceSession, config: DecoderConfig): Promise<number> {
  const positions = Array.from({ length: PROMPT }, (_, i) => i);
  const { feeds, fetches } = caches(config, { texts: 1, total: PROMPT, tokens: PROMPT, past: 0 });
  const start = performance.now();
  await graph.run(
    {
      ids: whole(positions.map(i => 100 + ((i * 37) % 5000))),
      positions: whole(positions),
      wanted: whole([PROMPT - 1]),
      ...feeds,
    },
    fetches,
  );
  return performance.now() - start;
}

function productSteps(graph: InferenceSession, callers: number, hidden: number): Steps {
  const x = new Tensor('float32', new Float32Array(callers * hidden).fill(0.5), [callers, hidden]);
  return {
    async step() {
      const start = performance.now();
      await graph.run({ x });
      return performance.now() - start;
    },
    close: async () => {},
  };
}

/** The last row of each cache is written again at every step: the time is that of this length. */
function ourSteps(
  graph: InferenceSession,
  { config, callers, context }: { config: DecoderConfig; callers: number; context: number },
): Steps {
  const { feeds, fetches } = caches(config, { texts: callers, total: context + 1, tokens: 1 });
  const each = <Value>(value: Value) => Array.from({ length: callers }, () => value);
  const bias = new Tensor('float32', new Float32Array(callers * (context + 1)), [callers, context + 1]);
  return {
    async step() {
      const start = performance.now();
      await graph.run({ ids: whole(each(504)), positions: whole(each(context)), bias, ...feeds }, fetches);
      return performance.now() - start;
    },
    close: async () => {},
  };
}

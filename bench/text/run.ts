/**
 * How fast texts are tokenised and chunked, and whether ten times the text takes ten times as long, on one thread.
 *
 *   node bench/text/run.ts <model folder> ...      (folders with a tokenizer.json)
 */
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { chunk, loadTokenizer, type Tokenizer } from '@vectorium/nets';

const RUNS = 5;
const SAMPLES: Record<string, string> = {
  english:
    'The server answers each request with a vector, and it never keeps the text. How long does that take? It depends!\n',
  'one line': 'The server answers each request with a vector, and it never keeps the text. How long does that take? ',
  chinese: '机器学习是人工智能的一个分支。它让计算机从数据中学习，而不是被明确编程！',
  hindi: 'यह एक परीक्षण वाक्य है। दूसरा वाक्य भी यहाँ है। ',
  'no spaces': 'abcdefghij0123456789',
  'no sentences': '机器学习是人工智能的一个分支',
  emoji: 'Nice 👩‍👩‍👧 work 👍🏽! ',
};

const folders = process.argv.slice(2);
if (folders.length === 0) throw new Error('Name at least one folder with a tokenizer.json.');
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, medians of ${RUNS}`);
for (const folder of folders) {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const start = performance.now();
  const tokenizer = await loadTokenizer(folder);
  const loadMs = performance.now() - start;
  globalThis.gc?.();
  const megabytes = (process.memoryUsage().rss - before) / 1e6;
  console.log(`\n${basename(folder)}: loaded in ${loadMs.toFixed(0)} ms, ${megabytes.toFixed(0)} MB more resident`);
  console.log('text            characters     tokens  tokenise ms  chunk ms  for 10 times the text');
  for (const [name, sample] of Object.entries(SAMPLES)) {
    const small = measure(tokenizer, sample, 1_000_000);
    const large = measure(tokenizer, sample, 10_000_000);
    const ratio = (large.encodeMs + large.chunkMs) / (small.encodeMs + small.chunkMs);
    console.log(
      `${name.padEnd(14)} ${String(small.characters).padStart(11)} ${String(small.tokens).padStart(10)}` +
        `${small.encodeMs.toFixed(0).padStart(13)}${small.chunkMs.toFixed(0).padStart(10)}  ${ratio.toFixed(1)} times as long`,
    );
  }
  const times = Array.from({ length: 1000 }, () =>
    timed(() => tokenizer.encode('How do I cook rice without making it sticky?')),
  );
  console.log(`a question of 44 characters: ${(1000 * median(times)).toFixed(0)} µs`);
}

function measure(
  tokenizer: Tokenizer,
  sample: string,
  length: number,
): Record<'characters' | 'tokens' | 'encodeMs' | 'chunkMs', number> {
  const text = sample.repeat(Math.ceil(length / sample.length));
  const encodes: number[] = [];
  const chunks: number[] = [];
  let encoding = tokenizer.encode('');
  for (let run = 0; run < RUNS; run++) {
    encodes.push(timed(() => (encoding = tokenizer.encode(text))));
    chunks.push(timed(() => chunk(text, encoding, { maxTokens: 500, overlap: 0.1, method: 'sentence_aware' })));
  }
  return { characters: text.length, tokens: encoding.ids.length, encodeMs: median(encodes), chunkMs: median(chunks) };
}

function timed(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

// Whether a fine-tuning here learns what PEFT's does: `node bench/llm/quality.ts <model.gguf> [q4|q8|f32]`.
//
// Both teach the same base a LoRA of rank 16 on the same prompts and answers (countries of world-countries), with the same samples in a
// step, number of steps, rates and optimiser, from four seeds each. PyTorch then measures all adapters, ours as the server gives them
// away, on countries that none was taught: the loss of a token of an answer.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openLanguage } from '@vectorium/nets';
import { openTables } from '@vectorium/tables';
import { openTraining } from '@vectorium/training';
import { environment } from '../python.ts';

const THREADS = 2;
const SEEDS = [1, 2, 3, 4];
const [TAUGHT, HELD_OUT] = [100, 40];
const settings = { epochs: 1, batchSize: 10, learningRate: 1e-3 };
const [path = '', precision = 'q8'] = process.argv.slice(2);

interface Country {
  name: { common: string };
  capital: string[];
  region: string;
}
const countries = JSON.parse(
  await readFile(fileURLToPath(import.meta.resolve('world-countries/countries.json')), 'utf8'),
) as Country[];
const pairs = countries
  .filter(({ capital }) => capital.length > 0)
  .map(({ name, capital, region }) => ({
    prompt: `Tell me about ${name.common}.`,
    completion: `${name.common} | capital: ${capital[0]} | region: ${region}`,
  }));
// They come in the order of their codes: every third one is kept from the teaching.
const heldOut = pairs.filter((_, i) => i % 3 === 0).slice(0, HELD_OUT);
const taught = pairs.filter((_, i) => i % 3 !== 0).slice(0, TAUGHT);

const folder = await mkdtemp(join(tmpdir(), 'vectorium-bench-'));
try {
  const programs = await environment(join(import.meta.dirname, 'peers/finetune.txt'));
  const adapters: string[] = [];
  for (const seed of SEEDS) adapters.push(await vectorium(seed));
  const samples = { taught: await samplesOf(taught), heldOut: await samplesOf(heldOut) };
  await writeFile(
    join(folder, 'job.json'),
    JSON.stringify({ path, threads: THREADS, seeds: SEEDS, adapters, settings, samples }),
  );
  const script = join(import.meta.dirname, 'peers/quality.py');
  const { stdout } = await promisify(execFile)(join(programs, 'python'), [script, join(folder, 'job.json')], {
    timeout: 60 * 60_000,
  });
  console.log('| | held-out loss, seed by seed |\n|---|---|');
  const found = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, number[]>;
  for (const [name, losses] of Object.entries(found))
    console.log(`| ${name} | ${losses.map(loss => loss.toFixed(4)).join(', ')} |`);
} finally {
  await rm(folder, { recursive: true });
}

/** The folder of the adapter. */
async function vectorium(seed: number): Promise<string> {
  const [file, source] = [join(folder, 'taught.ndjson'), join(folder, 'taught.parquet')];
  await writeFile(file, taught.map(pair => JSON.stringify(pair)).join('\n'));
  const scratchFolder = join(folder, 'scratch');
  const tables = openTables({ scratchFolder });
  await tables.ingest({ source: file, format: 'ndjson', options: {}, target: source });
  await tables.close();
  const training = openTraining({ scratchFolder, threads: THREADS });
  const target = join(folder, `model-${seed}`);
  try {
    await training.trainLanguage({
      source,
      folder: join(folder, `job-${seed}`),
      target,
      dataset: {},
      config: { ...settings, seed, validationSplit: 0 },
      base: { name: 'base', model: 'base', revision: '0', path, precision: precision as 'q4' },
    });
  } finally {
    await training.close();
  }
  return target;
}

/** As a fine-tuning reads them: the answer is learnt, with the token that ends it. */
async function samplesOf(rows: typeof pairs) {
  const { tokenizer, chat } = await openLanguage(path);
  if (!chat) throw new Error('the model has no template for conversations');
  return rows.map(({ prompt, completion }) => {
    const before = chat([{ role: 'user', content: prompt }]);
    const said = `${before}${completion}<|im_end|>`;
    const { ids, starts } = tokenizer.encode(`${said}\n`);
    return {
      ids: [...ids],
      learnt: Array.from(starts, start => Number(start >= before.length && start < said.length)),
    };
  });
}

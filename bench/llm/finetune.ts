// Fine-tuning beside PyTorch with PEFT: `node bench/llm/finetune.ts <model.gguf> [q4|q8|f32] [rounds]`.
//
// Both teach the same file a LoRA of rank 16 on all linear layers, 2 texts of 256 tokens a step, with as many threads, all tokens
// learnt. Vectorium's run is what the server does, in its own process, checkpoints included; PyTorch widens the file to f32, since it
// trains nothing else on a CPU. They take turns, round by round; the best of each is printed, since other work on the machine only
// ever adds. Without a Python environment (VECTORIUM_BENCH_VENV, made on first use) only Vectorium is measured.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openTables } from '@vectorium/tables';
import { openTraining } from '@vectorium/training';
import { environment } from '../python.ts';

const THREADS = 2;
const [path = '', precision = 'q8', rounds = '2'] = process.argv.slice(2);
const text = await readFile(new URL('../../LICENSE', import.meta.url), 'utf8');

interface Measured {
  tokensPerSecond: number;
  peakMegabytes: number;
}

const folder = await mkdtemp(join(tmpdir(), 'vectorium-bench-'));
try {
  const programs = await environment(join(import.meta.dirname, 'peers/finetune.txt')).catch(() => null);
  const source = join(folder, 'texts.parquet');
  const tables = openTables({ scratchFolder: join(folder, 'scratch') });
  await tables.ingest({ source: await rows(), format: 'ndjson', options: {}, target: source });
  await tables.close();
  const [ours, theirs]: Measured[][] = [[], []];
  for (let round = 0; round < Number(rounds); round++) {
    ours?.push(await vectorium(source, round));
    if (programs) theirs?.push(await peft(programs));
  }
  console.log('| | tokens/s | peak MB |\n|---|---|---|');
  for (const [name, all] of [
    [`Vectorium, base in ${precision}`, ours],
    ['PyTorch with PEFT, base in f32', theirs],
  ] as const)
    if (all && all.length > 0)
      console.log(
        `| ${name} | ${Math.max(...all.map(each => each.tokensPerSecond)).toFixed(0)} | ${Math.max(...all.map(each => each.peakMegabytes)).toFixed(0)} |`,
      );
} finally {
  await rm(folder, { recursive: true });
}

/** As many rows as a run wants at least. */
async function rows(): Promise<string> {
  const row = JSON.stringify({ text: text.slice(0, 2600) });
  const file = join(folder, 'texts.ndjson');
  await writeFile(file, Array.from({ length: 4 }, () => row).join('\n'));
  return file;
}

async function vectorium(source: string, round: number): Promise<Measured> {
  const training = openTraining({ scratchFolder: join(folder, 'scratch'), threads: THREADS });
  let peakMegabytes = 0;
  try {
    const card = await training.trainLanguage(
      {
        source,
        folder: join(folder, `job-${round}`),
        target: join(folder, `model-${round}`),
        dataset: {},
        config: { epochs: 3, batchSize: 2, maxLength: 256, validationSplit: 0 },
        base: { name: 'base', model: 'base', revision: '0', path, precision: precision as 'q4' },
      },
      {
        onProgress() {
          for (const id of training.processIds)
            void peakOf(id).then(peak => (peakMegabytes = Math.max(peak, peakMegabytes)));
        },
      },
    );
    // Between the ends of two epochs there are steps alone.
    const ends = card.curves.map(({ seconds }) => seconds);
    const seconds = Math.min(...ends.slice(1).map((end, i) => end - (ends[i] ?? 0)));
    return { tokensPerSecond: (card.language?.tokens.all ?? 0) / seconds, peakMegabytes };
  } finally {
    await training.close();
  }
}

async function peakOf(id: number): Promise<number> {
  const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function peft(programs: string): Promise<Measured> {
  const script = join(import.meta.dirname, 'peers/finetune.py');
  const { stdout } = await promisify(execFile)(join(programs, 'python'), [script, path, String(THREADS)], {
    timeout: 20 * 60_000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Measured;
}

// How well tabular models predict beside the usual libraries: real tables, the same splits, default settings for everybody.
//
// node bench/training/quality/run.ts [--tables concrete,credit] [--seeds 3] [--threads 2] [--algorithms tabm,realmlp] [--scores scores.jsonl]
// [--peers 'MLP,TabM (pytabkit)'] [--output page.md]. Three quarters of each table are trained on, the rest is asked for; what a system holds
// out of the training rows is its own affair. It takes hours: with --scores each score goes into a file, and what is there is not
// computed again. Needs python3 with pip: the tables and the peers come with Python packages.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { environment } from '../../python.ts';
import { type Asked, type Table, trainAndScore } from './ours.ts';
import { report, type Score } from './report.ts';

const run = promisify(execFile);
const { values: options } = parseArgs({
  options: {
    tables: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    algorithms: { type: 'string', default: '' },
    scores: { type: 'string' },
    peers: { type: 'string' },
    output: { type: 'string' },
  },
});
const [seeds, threads] = [Number(options.seeds), Number(options.threads)];
const wanted = options.tables?.split(',');
const peers = new URL('peers/', import.meta.url).pathname;
/** As peers.py names them, the quickest first. */
const peerSystems = [
  'HistGradientBoosting',
  'RandomForest',
  'MLP',
  'XGBoost',
  'LightGBM',
  'TabM (pytabkit)',
  'RealMLP (pytabkit)',
].filter(system => options.peers?.split(',').includes(system) ?? true);
const folder = await mkdtemp(join(tmpdir(), 'quality-'));

try {
  const python = join(await environment(join(peers, 'quality.txt')), 'python');
  await run(python, [join(peers, 'tables.py'), folder, ...(wanted ?? [])]);
  const names = (await readdir(folder)).filter(name => name.endsWith('.json')).toSorted();
  const scores = await scoresBefore();
  const algorithms = [undefined, ...options.algorithms.split(',').filter(Boolean)] as Asked['algorithm'][];
  const missing = (table: Table, system: string, seed: number): boolean =>
    !scores.some(score => score.table === table.name && score.system === system && score.seed === seed);
  const keep = async (score: Score): Promise<void> => {
    scores.push(score);
    console.error(JSON.stringify(score));
    if (options.scores) await appendFile(options.scores, `${JSON.stringify(score)}\n`);
  };
  for (let seed = 0; seed < seeds; seed++)
    for (const name of names) {
      const table = JSON.parse(await readFile(join(folder, name), 'utf8')) as Table;
      for (const algorithm of algorithms) {
        if (!missing(table, algorithm ? `Vectorium ${algorithm}` : 'Vectorium', seed)) continue;
        await keep(await trainAndScore(folder, table, { seed, threads, ...(algorithm && { algorithm }) }));
      }
      for (const system of peerSystems)
        if (missing(table, system, seed))
          await keep(await scoreOfPeer(python, { file: join(folder, name), system, seed }));
    }
  const machine = `${cpus().length} cores of ${cpus()[0]?.model}, ${threads} threads, Node ${process.version}`;
  const page = `On ${new Date().toISOString().slice(0, 10)}, ${machine}: ${names.length} tables, ${seeds} seeds.\n\n${report(scores)}\n`;
  if (options.output) await writeFile(options.output, `# Quality of tabular models\n\n${page}`);
  else console.log(page);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function scoresBefore(): Promise<Score[]> {
  if (!options.scores || !existsSync(options.scores)) return [];
  const lines = (await readFile(options.scores, 'utf8')).trim().split('\n').filter(Boolean);
  return lines.map(line => JSON.parse(line) as Score);
}

async function scoreOfPeer(
  python: string,
  { file, system, seed }: { file: string; system: string; seed: number },
): Promise<Score> {
  const variables = { ...process.env, OMP_NUM_THREADS: String(threads) };
  const { stdout } = await run(python, [join(peers, 'peers.py'), file, String(seed), String(threads), system], {
    env: variables,
    maxBuffer: 2 ** 26,
  });
  // Their libraries may print beside it.
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return JSON.parse(line) as Score;
}

// How well tabular models predict beside the usual libraries: real tables, the same splits, default settings for everybody.
//
// node bench/training/quality/run.ts [--tables concrete,credit] [--seeds 3] [--threads 2] [--algorithms tabm,realmlp]
// [--without-peers] [--output page.md]. Three quarters of each table are trained on, the rest is asked for; what a system holds
// out of the training rows is its own affair. Needs python3 with pip: the tables and the peers come with Python packages.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
    'without-peers': { type: 'boolean', default: false },
    output: { type: 'string' },
  },
});
const [seeds, threads] = [Number(options.seeds), Number(options.threads)];
const wanted = options.tables?.split(',');
const peers = new URL('peers/', import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), 'quality-'));

try {
  const python = join(await environment(join(peers, 'quality.txt')), 'python');
  await run(python, [join(peers, 'tables.py'), folder, ...(wanted ?? [])]);
  const names = (await readdir(folder)).filter(name => name.endsWith('.json')).toSorted();
  const scores: Score[] = [];
  for (const name of names) {
    const table = JSON.parse(await readFile(join(folder, name), 'utf8')) as Table;
    if (!options['without-peers']) scores.push(...(await scoresOfPeers(python, join(folder, name))));
    const algorithms = [undefined, ...options.algorithms.split(',').filter(Boolean)] as Asked['algorithm'][];
    for (const algorithm of algorithms)
      for (let seed = 0; seed < seeds; seed++) {
        const score = await trainAndScore(folder, table, { seed, threads, ...(algorithm && { algorithm }) });
        scores.push(score);
        console.error(JSON.stringify(score));
      }
  }
  const machine = `${cpus().length} cores of ${cpus()[0]?.model}, ${threads} threads, Node ${process.version}`;
  const page = `On ${new Date().toISOString().slice(0, 10)}, ${machine}: ${names.length} tables, ${seeds} seeds.\n\n${report(scores)}\n`;
  if (options.output) await writeFile(options.output, `# Quality of tabular models\n\n${page}`);
  else console.log(page);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function scoresOfPeers(python: string, file: string): Promise<Score[]> {
  const variables = { ...process.env, OMP_NUM_THREADS: String(threads) };
  const { stdout } = await run(python, [join(peers, 'peers.py'), file, String(seeds), String(threads)], {
    env: variables,
    maxBuffer: 2 ** 26,
  });
  const lines = stdout.trim().split('\n');
  for (const line of lines) console.error(line);
  return lines.map(line => JSON.parse(line) as Score);
}

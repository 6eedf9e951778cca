// What cleaning a dataset costs, against the same SQL by hand in DuckDB's own shell, and against pandas and Polars.
//
// node bench/data/process.ts [--rows 20000000] [--rounds 3] [--memory-gb 4] [--without-peers] [--folder /tmp]. All take the same Parquet
// file and write one; they take turns in rounds, and ratios are taken within a round. Needs python3 with pip: DuckDB's shell, pandas and
// Polars go into an environment in the user's cache folder.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { openTables, type Operation } from '@vectorium/tables';
import { environment } from '../python.ts';
import { median } from '../vectors/load.ts';
import { memoryOf } from '../vectors/processes.ts';

const run = promisify(execFile);
/** The priority that the server gives its data jobs, for all: else whatever else the machine does would fall on ours alone. */
const politely = ['-n', '10'];
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '20000000' },
    rounds: { type: 'string', default: '3' },
    'memory-gb': { type: 'string', default: '4' },
    'without-peers': { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
  },
});
const memoryGb = Number(options['memory-gb']);
const peers = new URL('peers/', import.meta.url).pathname;

interface Measured {
  seconds: number;
  peakBytes: number;
  rows: number;
}

/** Orders with what real ones have: blanks around names, missing customers, amounts that are no numbers, orders that come twice. */
const orders = (rows: number) => `
  SELECT i - (CASE WHEN i % 50 = 7 THEN 3 ELSE 0 END) AS order_id,
    CASE WHEN i % 97 = 0 THEN NULL ELSE (CASE WHEN i % 3 = 0 THEN '  ' ELSE '' END) || 'customer ' || hash(i)::VARCHAR END AS customer,
    (CASE WHEN i % 5 = 0 THEN ' ' ELSE '' END) || ['Ankara', 'İzmir', 'München', 'São Paulo', 'Kyoto'][1 + (hash(i + 1) % 5)::INTEGER] AS city,
    CASE WHEN i % 211 = 0 THEN 'n/a' ELSE ((hash(i + 2) % 100000) / 100.0)::VARCHAR END AS amount,
    (1 + hash(i + 3) % 9)::INTEGER AS quantity,
    TIMESTAMP '2024-01-01' + to_seconds((hash(i + 4) % 31536000)::BIGINT) AS ordered_at,
    md5(i::VARCHAR) AS reference
  FROM range(${rows}) AS r(i)`;

const operations: Operation[] = [
  { type: 'clean', params: { op: 'drop_nulls', columns: ['customer'] } },
  { type: 'clean', params: { op: 'trim', columns: ['customer', 'city'] } },
  { type: 'clean', params: { op: 'cast', types: { amount: 'DOUBLE' }, on_error: 'null' } },
  { type: 'transform', params: { op: 'derive', name: 'total', expression: 'amount * quantity' } },
  { type: 'transform', params: { op: 'filter', where: 'total > 10' } },
  { type: 'clean', params: { op: 'deduplicate', columns: ['order_id'], keep: 'first' } },
];

/** As a person would write it who knows DuckDB: rows keep their order, as the operations promise. */
const byHand = (source: string, target: string) => `
  COPY (
    SELECT * EXCLUDE (place) FROM (
      SELECT order_id, trim(customer) AS customer, trim(city) AS city, TRY_CAST(amount AS DOUBLE) AS amount, quantity, ordered_at,
        reference, TRY_CAST(amount AS DOUBLE) * quantity AS total, file_row_number AS place
      FROM read_parquet('${source}', file_row_number = true) WHERE customer IS NOT NULL)
    WHERE total > 10 QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY place) = 1 ORDER BY place
  ) TO '${target}' (FORMAT parquet, COMPRESSION zstd)`;

/** No operation here needs the server. */
const noServices = {
  embed: () => Promise.reject(new Error('no operation here embeds')),
  count: () => Promise.reject(new Error('no operation here counts tokens')),
  affords: () => Promise.reject(new Error('no operation here costs anything')),
  chunk: () => Promise.reject(new Error('no operation here chunks')),
  predict: () => Promise.reject(new Error('no operation here predicts')),
};

const python = await environment(join(peers, 'data.txt'));
const folder = await mkdtemp(join(options.folder, 'bench-data-'));
try {
  await compare();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function compare(): Promise<void> {
  const source = join(folder, 'orders.parquet');
  await shell(`COPY (${orders(Number(options.rows))}) TO '${source}' (FORMAT parquet, COMPRESSION zstd)`);
  const [csvBytes] = await sizesAsCsv(source);
  const { size } = await stat(source);
  console.log(
    `${Number(options.rows).toLocaleString('en')} rows, ${(size / 1e9).toFixed(2)} GB of Parquet, ${((csvBytes ?? 0) / 1e9).toFixed(2)} GB as CSV; ` +
      `${memoryGb} GB of memory for DuckDB; ${cpus().length} × ${cpus()[0]?.model}; Node ${process.version}\n`,
  );
  const systems: Record<string, (target: string) => Promise<Measured>> = {
    Vectorium: target => vectorium(source, target),
    "DuckDB's shell": target => shellRun(source, target),
    ...(!options['without-peers'] && {
      pandas: (target: string) => library('pandas', source, target),
      Polars: (target: string) => library('polars', source, target),
    }),
  };
  const measured = new Map<string, Measured[]>();
  const names = Object.keys(systems);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length] ?? '';
      const target = join(folder, 'target');
      const result = await systems[name]?.(target);
      if (result) measured.set(name, [...(measured.get(name) ?? []), result]);
      await rm(target, { recursive: true, force: true });
    }
  }
  console.log(
    '| system | seconds, median | Vectorium / it, median of rounds | peak memory, MB | rows |\n| --- | --: | --: | --: | --: |',
  );
  const own = measured.get('Vectorium') ?? [];
  for (const [name, results] of measured) {
    const ratio = median(results.map(({ seconds }, round) => (own[round]?.seconds ?? Number.NaN) / seconds));
    const peak = Math.max(...results.map(({ peakBytes }) => peakBytes)) / 1e6;
    console.log(
      `| ${name} | ${median(results.map(({ seconds }) => seconds)).toFixed(1)} | ${ratio.toFixed(2)} | ${peak.toFixed(0)} | ${results[0]?.rows} |`,
    );
  }
}

async function vectorium(source: string, target: string): Promise<Measured> {
  const tables = openTables({ scratchFolder: join(folder, 'scratch'), memoryBytes: memoryGb * 1e9 });
  // The first job of a process pays for its start, which a server has paid long before.
  await tables.rows(source, { offset: 0, limit: 1 });
  let peakBytes = 0;
  const watch = setInterval(() => {
    for (const pid of tables.processIds) {
      void memoryOf(pid).then(memory => (peakBytes = Math.max(peakBytes, memory?.peakBytes ?? 0)));
    }
  }, 200);
  await mkdir(target);
  const started = performance.now();
  const { outputs } = await tables.process({ source, operations, datasets: {}, folder: target }, noServices);
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watch);
  await tables.close();
  return { seconds, peakBytes, rows: outputs[0]?.rows ?? 0 };
}

async function shellRun(source: string, target: string): Promise<Measured> {
  const script = `SET memory_limit = '${memoryGb}GB'; SET temp_directory = '${folder}/spill'; ${byHand(source, target)}`;
  const { seconds, peakBytes } = await timed('nice', [...politely, join(python, 'duckdb'), '-c', script]);
  return { seconds, peakBytes, rows: Number(await shell(`SELECT count(*) FROM read_parquet('${target}')`)) };
}

async function library(name: string, source: string, target: string): Promise<Measured> {
  const { stdout } = await run('nice', [
    ...politely,
    join(python, 'python'),
    join(peers, 'clean.py'),
    name,
    source,
    target,
  ]);
  return JSON.parse(stdout) as Measured;
}

async function shell(sql: string): Promise<string> {
  return (await run(join(python, 'duckdb'), ['-csv', '-noheader', '-c', sql])).stdout.trim();
}

async function sizesAsCsv(source: string): Promise<number[]> {
  const sample = join(folder, 'sample.csv');
  await shell(`COPY (SELECT * FROM '${source}' LIMIT 100000) TO '${sample}' (FORMAT csv)`);
  const { size } = await stat(sample);
  await rm(sample);
  return [(size / Math.min(100_000, Number(options.rows))) * Number(options.rows)];
}

async function timed(program: string, parameters: string[]): Promise<{ seconds: number; peakBytes: number }> {
  const started = performance.now();
  const child = run(program, parameters);
  let peakBytes = 0;
  const watch = setInterval(() => {
    if (child.child.pid) {
      void memoryOf(child.child.pid).then(memory => (peakBytes = Math.max(peakBytes, memory?.peakBytes ?? 0)));
    }
  }, 200);
  await child;
  clearInterval(watch);
  return { seconds: (performance.now() - started) / 1000, peakBytes };
}

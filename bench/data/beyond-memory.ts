// Data four times as large as the memory for it, sorted, deduplicated, joined and grouped: each result is held against what DuckDB says
// of the source by another way.
//
// node bench/data/beyond-memory.ts [--gigabytes 4] [--memory-gb 1] [--folder /tmp]. Takes four times the data's size on the disk. Ends with
// an error when a result is wrong.
import { DuckDBInstance } from '@duckdb/node-api';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openTables, type Operation } from '@vectorium/tables';
import { memoryOf } from '../vectors/processes.ts';

const { values: options } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '4' },
    'memory-gb': { type: 'string', default: '1' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const memoryBytes = Number(options['memory-gb']) * 1e9;
/** Of a row in memory: three numbers and texts of 20 and some 340 characters, all of which hardly compress. */
const rowBytes = 400;
const rows = Math.round((Number(options.gigabytes) * 1e9) / rowBytes);
/** A fifth of the rows repeats a key. */
const keys = Math.round(rows * 0.8);

const digits = (salts: number[]): string =>
  salts.map(salt => `lpad(hash(i + ${salt}::BIGINT * 1000000007)::VARCHAR, 20, '0')`).join(' || ');
const source = `SELECT i AS id, (hash(i % ${keys}) >> 2)::BIGINT AS key, ${digits([1])} AS code, (hash(i) % 1000000) / 100.0 AS amount,
  ${digits(Array.from({ length: 17 }, (_, salt) => salt + 2))} AS note FROM range(${rows}) r(i)`;
/** Every other key, with a text: what is looked up in is larger than the memory too. */
const others = `SELECT (hash(i * 2) >> 2)::BIGINT AS key, ${digits([30, 31, 32, 33, 34, 35, 36, 37, 38, 39])} AS text FROM range(${Math.ceil(keys / 2)}) r(i)`;

interface Case {
  name: string;
  operations: Operation[];
  /** SQL, over the views `source`, `others` and `result`: what is to be true. */
  holds: string[];
}

const cases: Case[] = [
  {
    name: 'sort by a text',
    operations: [{ type: 'transform', params: { op: 'sort', by: ['code'] } }],
    holds: [
      `(SELECT count(*) FROM result) = ${rows}`,
      '(SELECT sum(hash(id, key, code, amount, note)) FROM result) = (SELECT sum(hash(id, key, code, amount, note)) FROM source)',
      '(SELECT count(*) FROM (SELECT code < lag(code) OVER () AS falls FROM result) WHERE falls) = 0',
    ],
  },
  {
    name: 'deduplicate by a key',
    operations: [{ type: 'clean', params: { op: 'deduplicate', columns: ['key'] } }],
    holds: [
      `(SELECT count(*) FROM result) = ${keys}`,
      `(SELECT bool_and(id = file_row_number) FROM result)`,
      `(SELECT sum(hash(note)) FROM result) = (SELECT sum(hash(note)) FROM source WHERE id < ${keys})`,
    ],
  },
  {
    name: 'join with a larger table than fits',
    operations: [{ type: 'transform', params: { op: 'join', dataset_id: 'others', on: ['key'], how: 'inner' } }],
    holds: [
      '(SELECT count(*) FROM result) = (SELECT count(*) FROM source SEMI JOIN others USING (key))',
      '(SELECT count(*) FROM (SELECT id < lag(id) OVER () AS falls FROM result) WHERE falls) = 0',
      `(SELECT sum(hash(key, text)) FROM result WHERE id < ${keys}) = (SELECT sum(hash(key, text)) FROM others)`,
    ],
  },
  {
    name: 'group by a text, as many groups as rows',
    operations: [
      {
        type: 'transform',
        params: {
          op: 'aggregate',
          group_by: ['code'],
          metrics: { total: 'sum(amount)', first: 'min(id)', rows: 'count(*)' },
        },
      },
    ],
    holds: [
      `(SELECT count(*) FROM result) = ${rows}`,
      '(SELECT sum(first) FROM result) = (SELECT sum(id) FROM source)',
      '(SELECT round(sum(total)) FROM result) = (SELECT round(sum(amount)) FROM source)',
    ],
  },
];

/** No operation here needs the server. */
const noServices = {
  embed: () => Promise.reject(new Error('no operation here embeds')),
  count: () => Promise.reject(new Error('not called')),
  affords: () => Promise.reject(new Error('not called')),
  chunk: () => Promise.reject(new Error('no operation here chunks')),
  predict: () => Promise.reject(new Error('no operation here predicts')),
};

const folder = await mkdtemp(join(options.folder, 'bench-beyond-memory-'));
const instance = await DuckDBInstance.create(':memory:', { temp_directory: join(folder, 'spill') });
const duckdb = await instance.connect();
const paths = { source: join(folder, 'source.parquet'), others: join(folder, 'others.parquet') };
try {
  await duckdb.run(`COPY (${source}) TO '${paths.source}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
  await duckdb.run(`COPY (${others}) TO '${paths.others}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
  for (const [name, path] of Object.entries(paths))
    await duckdb.run(`CREATE VIEW ${name} AS FROM read_parquet('${path}')`);
  console.log(
    `${rows.toLocaleString('en')} rows, ${options.gigabytes} GB of values, ${((await stat(paths.source)).size / 1e9).toFixed(2)} GB of Parquet, joined with ${((await stat(paths.others)).size / 1e9).toFixed(2)} GB; ` +
      `${options['memory-gb']} GB of memory for DuckDB; ${cpus().length} × ${cpus()[0]?.model}; Node ${process.version}\n\n` +
      '| operation | seconds | memory of the process at its highest, MB | rows | as it should be |\n| --- | --: | --: | --: | --- |',
  );
  for (const each of cases) await prove(each);
} finally {
  duckdb.closeSync();
  instance.closeSync();
  await rm(folder, { recursive: true, force: true });
}

async function prove({ name, operations, holds }: Case): Promise<void> {
  // A process of its own, whose highest memory is this operation's.
  const tables = openTables({ scratchFolder: join(folder, 'scratch'), memoryBytes });
  const target = join(folder, 'result');
  await mkdir(target);
  let peakBytes = 0;
  const watch = setInterval(() => {
    for (const pid of tables.processIds)
      void memoryOf(pid).then(memory => (peakBytes = Math.max(peakBytes, memory?.peakBytes ?? 0)));
  }, 200);
  try {
    const started = performance.now();
    const job = { source: paths.source, operations, datasets: { others: paths.others }, folder: target };
    const { outputs } = await tables.process(job, noServices);
    const seconds = (performance.now() - started) / 1000;
    const [output] = outputs;
    if (!output) throw new Error(`${name} gave nothing`);
    await duckdb.run(`CREATE OR REPLACE VIEW result AS FROM read_parquet('${output.path}', file_row_number = true)`);
    for (const condition of holds) {
      const [[isTrue] = []] = (await duckdb.runAndReadAll(`SELECT ${condition}`)).getRows();
      if (isTrue !== true) throw new Error(`${name}: it does not hold that ${condition}`);
    }
    console.log(`| ${name} | ${seconds.toFixed(0)} | ${(peakBytes / 1e6).toFixed(0)} | ${output.rows} | yes |`);
  } finally {
    clearInterval(watch);
    await tables.close();
    await rm(target, { recursive: true, force: true });
  }
}

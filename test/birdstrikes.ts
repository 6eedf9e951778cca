// The demo's table: ten thousand strikes of animals by aircraft, as the US Federal Aviation Administration collected them
// (vega-datasets, BSD-3-Clause). Its dirt is its own: the same strike twice, names in capitals, asterisks that refer to nothing,
// "UNKNOWN" for what nobody wrote down, empty speeds.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const birdstrikesFile = readFileSync(
  fileURLToPath(new URL('../data/birdstrikes.csv', import.meta.resolve('vega-datasets'))),
);

export interface Steps {
  url: string;
  key: string;
  title(text: string): void;
  check(held: boolean, what: string): void;
  request(url: string, key: string, method: string, path: string, body?: object): Promise<Response>;
  call<Answer>(url: string, key: string, method: string, path: string, body?: object): Promise<Answer>;
}

interface Dataset {
  dataset_id: string;
  rows: number;
  sha256: string;
  columns: { name: string; type: string; nulls: number }[];
}

interface Report {
  op: string;
  rows_in: number;
  rows_out: number;
  cells_changed: Record<string, number>;
  columns_added: string[];
}

interface Processed {
  job_id: string;
  status: string;
  version: number;
  rows: number;
  columns: Dataset['columns'];
  report: Report[];
  preview: Row[];
  error: { message: string } | null;
}

type Row = Record<string, string | number | null>;

/** What a flight could be asked about, in one sentence a row. */
const sentence = `concat("Wildlife Species", ' struck by a plane during ', lower("Phase of flight"), ' at ', lower("Time of day"),
  ' near ', "Airport Name", ', ', "Origin State")`;

const operator = 'Aircraft Airline Operator';

const costly = { type: 'transform', params: { op: 'filter', where: '"Cost Total $" > 0' } };

const enriching = [
  { type: 'clean', params: { op: 'null_tokens', columns: [operator], tokens: ['UNKNOWN'] } },
  { type: 'clean', params: { op: 'regex_replace', columns: [operator], pattern: '\\*+$', replacement: '' } },
  { type: 'clean', params: { op: 'change_case', columns: [operator, 'Airport Name'], case: 'title' } },
  costly,
  { type: 'transform', params: { op: 'derive', name: 'summary', expression: sentence } },
  { type: 'enrich', params: { op: 'embed_text', column: 'summary', into: 'vector' } },
];

/** Uploads the table, cleans it, enriches it with vectors, asks it a question, and takes it away again. */
export async function walkBirdstrikes({ url, key, title, check, request, call }: Steps): Promise<void> {
  const columns = ['Flight Date', operator, 'Airport Name', 'Wildlife Species', 'Cost Total $'];
  const rowsOf = async (name: string) => {
    const query = `limit=3&columns=${encodeURIComponent(columns.join(','))}`;
    return (await call<{ data: Row[] }>(url, key, 'GET', `/api/v2/data/${name}/rows?${query}`)).data;
  };
  const preview = async (operations: object[]) => {
    const body = { dataset_id: id, operations, preview: true };
    return (await call<Processed>(url, key, 'POST', '/api/v2/process', body)).preview;
  };

  title('A real CSV → a dataset');
  const uploaded = await call<Dataset>(url, key, 'POST', '/api/v2/data/upload', {
    file: birdstrikesFile.toString('base64'),
    format: 'csv',
    metadata: { name: 'birdstrikes', description: 'Strikes of animals by aircraft' },
  });
  const id = uploaded.dataset_id;
  check(
    uploaded.rows === 10_000 && uploaded.columns.length === 14,
    `${birdstrikesFile.length} bytes → ${uploaded.rows} rows of ${uploaded.columns.length} columns: ${id}`,
  );
  check(uploaded.sha256 === createHash('sha256').update(birdstrikesFile).digest('hex'), 'every byte arrived (SHA-256)');
  const types = new Set(uploaded.columns.map(({ name, type }) => `${name} ${type}`));
  check(types.has('Flight Date DATE') && types.has('Cost Repair BIGINT'), 'dates and numbers were recognised');
  const [first] = await rowsOf(id);

  title('Automatic cleaning → version 2');
  const cleaned = await process([{ type: 'clean' }]);
  check(
    cleaned.version === 2 && cleaned.rows === 9976,
    `${10_000 - cleaned.rows} rows that were there twice are gone; ${cleaned.rows} are left`,
  );

  title('Filtered, tidied, and a vector for each row → version 3');
  const before = await preview([costly, { type: 'transform', params: { op: 'select', columns } }]);
  const enriched = await process(enriching);
  for (const {
    op,
    rows_in: rowsIn,
    rows_out: rowsOut,
    cells_changed: cells,
    columns_added: added,
  } of enriched.report) {
    const changed = Object.entries(cells).map(([name, count]) => `${count} cells of ${name}`);
    console.log(
      `  ${op.padEnd(14)} ${rowsIn} → ${rowsOut} rows  ${[...changed, ...added.map(name => `+ ${name}`)].join(', ')}`,
    );
  }
  check(enriched.rows === 209, `${enriched.rows} strikes cost money`);
  const vectors = enriched.columns.find(({ name }) => name === 'vector');
  check(vectors?.nulls === 0, 'each of them has a vector');
  const after = await rowsOf(id);
  print('before', before.slice(0, after.length));
  print('after', after);
  check(
    after.every(
      row => !/\*|UNKNOWN/.test(String(row[operator])) && row[operator] !== String(row[operator]).toUpperCase(),
    ),
    'operators have no asterisks and no capitals any more',
  );
  check(JSON.stringify((await rowsOf(`${id}@1`))[0]) === JSON.stringify(first), 'version 1 is as it was');

  title('A question to the table (a preview: nothing is made)');
  const query = 'a deer on the runway';
  const nearest = await preview([
    { type: 'enrich', params: { op: 'similarity', column: 'vector', query } },
    { type: 'transform', params: { op: 'sort', by: ['-similarity'] } },
    { type: 'transform', params: { op: 'select', columns: ['Wildlife Species', 'summary', 'similarity'] } },
  ]);
  console.log(`  "${query}"`);
  for (const row of nearest.slice(0, 3)) console.log(`  ${Number(row['similarity']).toFixed(3)}  ${row['summary']}`);
  check(
    nearest.slice(0, 2).every(row => row['Wildlife Species'] === 'White-tailed deer'),
    'the nearest rows are strikes of deer',
  );

  title('Download and delete');
  const csv = await (await request(url, key, 'GET', `/api/v2/data/${id}@2/download?format=csv`)).text();
  check(csv.trim().split('\n').length === 9977, 'version 2 as CSV: a head and 9976 rows');
  await call(url, key, 'DELETE', `/api/v2/data/${id}`);
  check((await request(url, key, 'GET', `/api/v2/data/${id}`)).status === 404, 'the dataset is gone');
  const { storage } = await call<{ storage: { used_bytes: number } }>(url, key, 'GET', '/api/v2/data');
  check(storage.used_bytes === 0, 'and so is what it took of the plan’s storage');

  async function process(operations: object[]): Promise<Processed> {
    let done = await call<Processed>(url, key, 'POST', '/api/v2/process', { dataset_id: id, operations });
    while (done.status === 'queued' || done.status === 'running') {
      await sleep(1000);
      const job = await call<{ result?: object }>(url, key, 'GET', `/api/v2/jobs/${done.job_id}`);
      done = { ...done, ...job, ...job.result };
    }
    if (done.status !== 'succeeded') throw new Error(`processing ended ${done.status}: ${done.error?.message ?? ''}`);
    return done;
  }
}

function print(when: string, rows: Row[]): void {
  for (const row of rows) console.log(`  ${when.padEnd(7)} ${Object.values(row).join(' | ')}`);
}

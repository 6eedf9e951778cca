// A thousand malformed files and bodies, made by a seed: each is a 400 that names a place, none is a 500, and nothing of them stays.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startDatasetServer } from './testing.ts';

const server = await startDatasetServer();
afterAll(() => server.end());
const { adminKey: key, dataFolder } = server;

/** The same numbers each time (mulberry32), so that what fails can be found again. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return sides => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}
const roll = dice(7);
const pick = <Item>(items: readonly Item[]): Item => items[roll(items.length)] as Item;
const times = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

interface Malformed {
  what: string;
  method: 'POST' | 'PUT';
  path: string;
  body: string | Buffer<ArrayBuffer>;
}

const csv = (rows: number) => `id,name\n${times(rows, row => `${row},name ${roll(1000)}\n`).join('')}`;
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const upload = '/api/v2/data/upload';

const postFile = (what: string, body: string): Malformed => ({ what, method: 'POST', path: upload, body });
const wholeBody = () => JSON.stringify({ file: base64(csv(1 + roll(200))), format: 'csv', metadata: { name: 'x' } });
const bodyWith = (more: object) => JSON.stringify({ file: base64(csv(5)), format: 'csv', ...more });

/** Bodies of JSON that are wrong before anybody looks into the file. */
function jsonBodies(): Malformed[] {
  const wrong = [3, true, [], ['csv'], { a: 1 }, 'CSV ', 'exe', '', null, '\u0000', 1e300];
  return [
    ...times(200, () => {
      const body = wholeBody();
      return postFile('cut', body.slice(0, roll(body.length - 1)));
    }),
    ...times(70, () => {
      const file = base64(csv(1 + roll(50)));
      const at = roll(file.length - 4);
      const bad = pick(['!', '*', 'é', '=', '%', '~', '{', '\\u0000', '$']);
      return postFile(
        'a sign that is none of base64',
        `{"format":"csv","file":"${file.slice(0, at)}${bad}${file.slice(at + 1)}"}`,
      );
    }),
    ...times(30, () => {
      const file = base64(csv(1 + roll(50))).replace(/=*$/, '');
      return postFile('a length that base64 has not', `{"format":"csv","file":"${file.slice(0, 4 * roll(10) + 5)}"}`);
    }),
    ...times(60, () => {
      const body = wholeBody();
      const at = roll(body.length - 2);
      const sign = pick(['}', ']', '"', ',', ':', '{"', '\u0001']);
      return postFile('a stray sign', `{"format":"csv"${sign}${sign}${body.slice(at).replaceAll('"', '')}`);
    }),
    ...times(40, () => postFile('a wrong format', bodyWith({ format: pick(wrong) }))),
    ...times(30, () =>
      postFile('a wrong file', JSON.stringify({ format: 'csv', file: pick([3, true, [], {}, null, '']) })),
    ),
    ...times(20, () =>
      postFile('wrong options', bodyWith({ options: pick([3, true, [], 'x', { delimiter: '' }, { no: 1 }]) })),
    ),
    ...times(20, () =>
      postFile('a wrong name', bodyWith({ metadata: { name: pick([3, [], {}, '\u0000', 'x'.repeat(201)]) } })),
    ),
    ...times(20, () =>
      postFile('a key twice', `{"format":"csv","file":"${base64(csv(2))}","${pick(['format', 'file'])}":"csv"}`),
    ),
  ];
}

const fixture = async (name: string) =>
  Buffer.from(await readFile(new URL(`../../tables/fixtures/${name}`, import.meta.url)));
const put = (what: string, format: string, body: string | Buffer<ArrayBuffer>, options: object = {}): Malformed => {
  const query = new URLSearchParams({ format, options: JSON.stringify(options) });
  return { what, method: 'PUT', path: `${upload}?${query.toString()}`, body };
};
const cut = (bytes: Buffer<ArrayBuffer>) => bytes.subarray(0, 1 + roll(bytes.length - 20));
const objects = (rows: number) => times(rows, row => ({ id: row, name: `name ${roll(1000)}` }));
const cutArray = () => {
  const array = JSON.stringify(objects(1 + roll(30)));
  return array.slice(0, 1 + roll(array.length - 2));
};

/** Files that are not what they are said to be, or not whole. */
async function files(): Promise<Malformed[]> {
  const [parquet, arrow, xlsx] = await Promise.all(['table.parquet', 'table.arrow', 'sheet.xlsx'].map(fixture));
  if (!parquet || !arrow || !xlsx) throw new Error('no fixtures');
  return [
    ...times(30, () => put('parquet, cut', 'parquet', cut(parquet))),
    ...times(20, () => put('arrow, cut', 'arrow', cut(arrow))),
    ...times(20, () => put('xlsx, cut', 'xlsx', cut(xlsx))),
    ...times(40, () => put('a JSON array, cut', 'json', cutArray())),
    ...times(30, () => {
      const lines = objects(2 + roll(30)).map(each => JSON.stringify(each));
      lines[roll(lines.length)] = pick(['{"id": ', 'nothing', '[1', '{"id" 1}', '"']);
      return put('a broken line of JSON', 'ndjson', lines.join('\n'), { on_error: 'fail' });
    }),
    ...times(30, () => {
      const lines = csv(2 + roll(40))
        .trimEnd()
        .split('\n');
      lines[1 + roll(lines.length - 1)] = pick(['1,2,3', '1,2,3,4,5', 'a,b,c,d']);
      return put('a ragged row', 'csv', lines.join('\n'), { on_error: 'fail', delimiter: ',', header: true });
    }),
    ...times(20, () => put('another format', pick(['parquet', 'arrow', 'xlsx']), csv(3))),
    ...times(10, () => put('a binary file as text', pick(['csv', 'json', 'ndjson', 'tsv']), pick([parquet, xlsx]))),
    ...times(10, () => put('an empty file', pick(['csv', 'json', 'parquet', 'arrow', 'xlsx']), '')),
    ...times(10, () =>
      put('a custom format of no kind', 'custom', csv(2), pick([{}, { kind: 'no' }, { kind: 'pattern' }])),
    ),
    ...times(10, () =>
      put('a pattern that is none', 'custom', csv(2), { kind: 'pattern', pattern: pick(['(', '[a', '(?<n']) }),
    ),
  ];
}

const post = (what: string, body: object): Malformed => ({
  what,
  method: 'POST',
  path: '/api/v2/process',
  body: JSON.stringify(body),
});

/** Bodies of process on a dataset of the columns id and name. */
function processBodies(id: string): Malformed[] {
  const on = (what: string, type: unknown, params: unknown) =>
    post(what, { dataset_id: id, operations: [{ type, params }] });
  const wrong = [[], {}, 1e300, 'no_such', { a: { b: [] } }, [[]], '\u0000', -7.5];
  const sql = [
    '',
    '(',
    'id +',
    'no_such > 1',
    "read_csv('/etc/passwd')",
    '(SELECT 1)',
    'id; DROP TABLE x',
    "getenv('HOME')",
    '*',
    '?',
    'id AS x',
    'id OVER ()',
    'sum(id)',
    'name::STRUCT(a INT)',
    'list_transform([1], lambda x: x)',
    '"',
    "'",
    'nextval(1)',
    '1 FROM x',
    '-- comment',
  ];
  return [
    ...times(100, () =>
      on('an expression', 'transform', {
        op: pick(['filter', 'derive']),
        name: 'x',
        where: pick(sql),
        expression: pick(sql),
      }),
    ),
    ...times(50, () =>
      on('columns', 'clean', {
        op: pick(['trim', 'drop_nulls', 'deduplicate', 'clip', 'outliers']),
        columns: pick(wrong.slice(1)),
        min: 1,
      }),
    ),
    ...times(30, () =>
      on('an operation', pick(['clean', 'transform', 'enrich']), {
        op: pick(['', 'no', 'Trim', 3, [], 'constructor', '__proto__']),
      }),
    ),
    ...times(20, () => on('a family', pick(['cleaning', '', 3, null, 'transform', []]), { op: 'trim' })),
    ...times(20, () =>
      on('a type', 'clean', {
        op: 'cast',
        types: { [pick(['id', 'no'])]: pick(['', 'blob[]', 'struct', 3, 'int; x', null]) },
      }),
    ),
    ...times(20, () =>
      on('a mapping', 'transform', {
        op: 'rename',
        mapping: pick([{}, [], { no: 'x' }, { id: 'NAME' }, { id: '' }, { id: 3 }]),
      }),
    ),
    ...times(20, () =>
      on('an order', 'transform', { op: 'sort', by: pick([[], 3, ['no'], { column: 3 }, [{}], '--id', ['id', 3]]) }),
    ),
    ...times(20, () =>
      on('metrics', 'transform', {
        op: 'aggregate',
        group_by: ['name'],
        metrics: pick([{}, [], { a: 'no(id)' }, { a: { fn: 'x' } }, { a: 'count(' }]),
      }),
    ),
    ...times(10, () =>
      post('no operations', { dataset_id: id, operations: pick<unknown>([[], 3, 'clean', [3], [[]], {}]) }),
    ),
  ];
}

/** What is wrong comes first, as the request writes it, or the place in the file or the body is there. */
const holdsPlace =
  /^(file|format|options|metadata|name|operations|dataset_id)\b|\b(byte|line|character|record batch|row|column) \d+/;

test('a thousand of them', { timeout: 600_000 }, async () => {
  const { body: good } = await server.upload<{ dataset_id: string }>(key, csv(20));
  const all = [...jsonBodies(), ...(await files()), ...processBodies(good.dataset_id)];
  expect(all.length).toBeGreaterThanOrEqual(1000);
  const wrong: string[] = [];
  const waiting = [...all.entries()];
  async function sendAll(): Promise<void> {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [index, { what, method, path, body }] = next;
      const type = method === 'PUT' ? 'application/octet-stream' : 'application/json';
      const answer = await server.fetch(path, key, { method, body, headers: { 'content-type': type } });
      const told = await answer.text();
      const { message = '', param, place, code } = JSON.parse(told) as Record<string, string>;
      const named = param !== undefined || place !== undefined || holdsPlace.test(message);
      if (answer.status !== 400 || !named || code === undefined)
        wrong.push(`${index}: ${what}: ${answer.status} ${told.slice(0, 300)} for ${String(body).slice(0, 200)}`);
    }
  }
  await Promise.all(times(8, sendAll));
  expect(wrong).toEqual([]);

  const { body: listed } = await server.ask<{ data: unknown[] }>('GET', '/api/v2/data', key);
  expect(listed.data).toHaveLength(1);
  const { body: jobs } = await server.ask<{ data: unknown[] }>('GET', '/api/v2/jobs', key);
  expect(jobs.data).toEqual([]);
  expect(await readdir(join(dataFolder, 'tables'))).toEqual([]);
  expect(await readdir(join(dataFolder, 'jobs'))).toEqual([]);
  const kept = await readdir(join(dataFolder, 'storage', 'objects'), { recursive: true });
  expect(kept.filter(name => name.endsWith('.parquet'))).toHaveLength(1);
});

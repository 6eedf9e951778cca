// JSON, Parquet, Arrow, xlsx and custom formats, against what pandas and pyarrow wrote.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { leftovers, workshop } from '../testing.ts';

const formatsFolder = join(import.meta.dirname, '..', 'formats');
const shop = await workshop({ formatsFolder });
const fixture = (name: string) => readFile(join(import.meta.dirname, '..', 'fixtures', name));
const types = (columns: { name: string; type: string }[]) =>
  Object.fromEntries(columns.map(({ name, type }) => [name, type]));

describe('json', () => {
  test('arrays and lines give the same rows, nested values as STRUCT and LIST', async () => {
    const objects = [
      { a: 1, n: { x: [1, 2], y: 'z' }, code: '001' },
      { a: 2, late: true },
    ];
    const array = await shop.take(JSON.stringify(objects, null, 2), 'json');
    const lines = await shop.take(objects.map(each => JSON.stringify(each)).join('\n'), 'ndjson');
    expect(types(array.columns)).toEqual({
      a: 'BIGINT',
      n: 'STRUCT(x BIGINT[], y VARCHAR)',
      code: 'VARCHAR',
      late: 'BOOLEAN',
    });
    expect(array.first).toEqual([
      { a: 1, n: { x: [1, 2], y: 'z' }, code: '001', late: null },
      { a: 2, n: null, code: null, late: true },
    ]);
    expect(lines.first).toEqual(array.first);
    expect((await shop.take(gzipSync(JSON.stringify(objects)), 'json')).first).toEqual(array.first);
  });

  test.each(['[{"a":1}', '[{"a":1},{"a":2} ', '[{"a":1},'])('an array without its end: %s', async text => {
    await expect(shop.take(text, 'json')).rejects.toMatchObject({
      code: 'BAD_ROWS',
      place: expect.stringMatching(/byte/),
    });
  });

  test('a key that first comes in the last of many lines is a column', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => (i === 29_999 ? '{"a":"x","b":1}' : `{"a":${i}}`));
    const { columns, rows } = await shop.take(lines.join('\n'), 'ndjson');
    expect(rows).toBe(30_000);
    expect(types(columns)).toEqual({ a: 'VARCHAR', b: 'BIGINT' });
  });

  test('values of several kinds are text without quotes, and no digit is lost', async () => {
    const { first, columns } = await shop.take(
      '{"m":1,"big":12345678901234567890123,"x":0.5}\n{"m":"a","big":1,"x":2}\n{"m":[1],"x":null}\n',
      'ndjson',
    );
    expect(types(columns)).toEqual({ m: 'VARCHAR', big: 'DECIMAL(38,0)', x: 'DOUBLE' });
    expect(first).toEqual([
      { m: '1', big: '12345678901234567890123', x: 0.5 },
      { m: 'a', big: '1', x: 2 },
      { m: '[1]', big: null, x: null },
    ]);
  });

  test('bad lines are counted with their line; bad arrays are refused with the place', async () => {
    const { rejected, rows } = await shop.take('{"a":1}\n\nnonsense\n{"a":2}\n[3]\n{"a":', 'ndjson');
    expect(rows).toBe(2);
    expect(rejected.count).toBe(3);
    expect(rejected.samples.map(({ line }) => line)).toEqual([3, 5, 6]);
    await expect(shop.take('{"a":1}\nx\n', 'ndjson', { on_error: 'fail' })).rejects.toMatchObject({
      code: 'BAD_ROWS',
      place: 'line 2',
    });
    await expect(shop.take('[{"a":1},{"a":', 'json')).rejects.toMatchObject({ code: 'BAD_ROWS' });
    await expect(shop.take('[]', 'json')).rejects.toMatchObject({ code: 'EMPTY_FILE' });
    await expect(shop.take('a,b\n1,2\n', 'json')).rejects.toMatchObject({ code: 'WRONG_FORMAT' });
  });

  test('names that differ by case alone', async () => {
    const { first } = await shop.take('[{"a":1,"A":2},{"A":3}]', 'json');
    expect(first).toEqual([
      { A: 2, a_2: 1 },
      { A: 3, a_2: null },
    ]);
  });
});

const arrowRows = [
  {
    i: 1,
    u: 1,
    d: '1.50',
    t: '1970-01-01T00:00:00.000001',
    z: '1970-01-01T00:00:00Z',
    day: '2024-02-29',
    b: 'aGk=',
    l: [1, 2],
    s: { x: 1, y: 'a' },
    c: 'red',
    f: 1.5,
    v: [0.5, 1.5],
  },
  {
    i: null,
    u: 2,
    d: null,
    t: '2023-11-14T22:13:20.123456',
    z: '1970-01-01T00:00:00.001Z',
    day: null,
    b: null,
    l: null,
    s: null,
    c: 'blue',
    f: 'NaN',
    v: [2, 3],
  },
  {
    i: '9007199254740993',
    u: '18446744073709551615',
    d: '-123456789012345678.99',
    t: '1969-12-31T23:59:59.999999',
    z: '1970-01-01T00:00:00.002Z',
    day: '1969-12-31',
    b: '/wA=',
    l: [],
    s: { x: null, y: 'ü' },
    c: 'red',
    f: 'Infinity',
    v: null,
  },
];

test.each([
  ['table.arrow', 'arrow'],
  ['table-zstd.arrow', 'arrow'],
  ['table-lz4.arrow', 'arrow'],
  ['table.arrows', 'arrow'],
  ['table.parquet', 'parquet'],
] as const)('%s of pyarrow comes in with all digits', async (name, format) => {
  expect((await shop.take(await fixture(name), format)).first).toEqual(arrowRows);
});

test.each([
  ['table.arrow', 'arrow'],
  ['table.parquet', 'parquet'],
  ['sheet.xlsx', 'xlsx'],
] as const)('a cut or damaged %s is refused and leaves nothing', async (name, format) => {
  const bytes = await fixture(name);
  for (const part of [
    bytes.subarray(0, bytes.length / 2),
    bytes.subarray(0, bytes.length - 3),
    Buffer.concat([bytes.subarray(0, 200), Buffer.alloc(200, 7)]),
  ]) {
    await expect(shop.take(part, format)).rejects.toMatchObject({ code: 'WRONG_FORMAT', place: expect.any(String) });
  }
  await expect(shop.take('a,b\n1,2\n', format)).rejects.toMatchObject({
    code: 'WRONG_FORMAT',
    message: expect.stringContaining('looks like text'),
  });
  expect(await leftovers(shop)).toEqual([]);
});

test('xlsx: numbers, booleans, dates and text of the first sheet or a named one', async () => {
  const first = await shop.take(await fixture('sheet.xlsx'), 'xlsx');
  expect(types(first.columns)).toEqual({
    code: 'VARCHAR',
    count: 'BIGINT',
    ratio: 'DOUBLE',
    ok: 'BOOLEAN',
    day: 'DATE',
  });
  expect(first.first).toEqual([
    { code: '001', count: 1, ratio: 0.5, ok: true, day: '2024-01-01' },
    { code: '002', count: 2, ratio: null, ok: false, day: '2024-02-29' },
    { code: null, count: 3, ratio: -2.25, ok: true, day: '1969-12-31' },
  ]);
  const second = await shop.take(await fixture('sheet.xlsx'), 'xlsx', { sheet: 'Second' });
  expect(second.first).toEqual([
    { a: '1', b: 2.5 },
    { a: 'x', b: 7 },
  ]);
  await expect(shop.take(await fixture('sheet.xlsx'), 'xlsx', { sheet: 'None' })).rejects.toMatchObject({
    param: 'options.sheet',
    message: expect.stringContaining('First, Second'),
  });
});

describe('custom', () => {
  test('a delimited dialect', async () => {
    const { first } = await shop.take("# made by hand\na||b\n'x||y'||NA\n1||2\n", 'custom', {
      kind: 'delimited',
      delimiter: '||',
      quote: "'",
      skip: 1,
      header: true,
      null_tokens: ['NA'],
    });
    expect(first).toEqual([
      { a: 'x||y', b: null },
      { a: '1', b: 2 },
    ]);
  });

  test('a pattern over lines: named groups are columns, other lines are rejected', async () => {
    const log = '2024-01-01T10:00:00 INFO [db] took 12 ms\ngarbage\n2024-01-01T10:00:05 WARN [web] took 7 ms\n';
    const { first, rejected } = await shop.take(log, 'custom', {
      kind: 'pattern',
      pattern: '^(?<at>\\S+) (?<level>[A-Z]+) \\[(\\w+)\\] took (?P<ms>\\d+) ms$',
    });
    expect(first).toEqual([
      { at: '2024-01-01T10:00:00', level: 'INFO', ms: 12 },
      { at: '2024-01-01T10:00:05', level: 'WARN', ms: 7 },
    ]);
    expect(rejected).toMatchObject({ count: 1, samples: [{ line: 2, text: 'garbage' }] });
    await expect(shop.take(log, 'custom', { kind: 'pattern', pattern: '(?<a>[' })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      param: 'options.pattern',
    });
  });

  test('a pattern that would hang a backtracking engine does not', async () => {
    const evil = `${'a'.repeat(50_000)}!\nab\n`;
    const { rows, rejected } = await shop.take(evil, 'custom', { kind: 'pattern', pattern: '^(?<x>(a+)+b)$' });
    expect({ rows, rejected: rejected.count }).toEqual({ rows: 1, rejected: 1 });
  });

  test('fixed widths', async () => {
    const { first, rejected } = await shop.take(
      '0001Müller    12.50\n0002Ng         x.yz\n0003Li         7.00\n04\n',
      'custom',
      {
        kind: 'fixed_width',
        columns: [
          { name: 'id', width: 4, type: 'VARCHAR' },
          { name: 'name', width: 9 },
          { name: 'price', start: 13, width: 7, type: 'DECIMAL(10,2)' },
        ],
      },
    );
    expect(first).toEqual([
      { id: '0001', name: 'Müller', price: '12.50' },
      { id: '0003', name: 'Li', price: '7.00' },
    ]);
    expect(rejected.samples.map(({ line, column }) => [line, column])).toEqual([
      [2, 'price'],
      [4, null],
    ]);
  });

  test("a format of the operator's own: vCard", async () => {
    const cards =
      'BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada\r\n  Lovelace\r\nitem1.TEL;TYPE=home:+44 1\r\nTEL:+44 2\r\nNOTE:a\\, b\\nc\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=\r\n=BCrgen\r\nEND:VCARD\r\n';
    const { first } = await shop.take(cards, 'custom', { kind: 'vcard' });
    expect(first).toMatchObject([
      { fn: 'Ada Lovelace', family_name: 'Lovelace', tel: ['+44 1', '+44 2'], note: 'a, b\nc' },
      { fn: 'Jürgen', tel: [] },
    ]);
    await expect(shop.take(cards.slice(0, -20), 'custom', { kind: 'vcard' })).rejects.toMatchObject({
      code: 'BAD_ROWS',
      place: 'after row 1',
    });
    await expect(shop.take(cards, 'custom', { kind: 'nope' })).rejects.toMatchObject({
      param: 'options.kind',
      message: expect.stringContaining('vcard'),
    });
  });
});

const without = await workshop({ formatsFolder: '/nowhere/formats' });

test('a kind that nobody has is refused, also where the operator has no folder of formats', async () => {
  await expect(without.take('a', 'custom', { kind: 'nope' })).rejects.toMatchObject({ param: 'options.kind' });
});

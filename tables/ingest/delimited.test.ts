// Delimited text: what is in the file is in the dataset, in order, and what is no row is counted.
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { duckdb, leftovers, workshop } from '../testing.ts';

const shop = await workshop();
const modest = await workshop({ memoryBytes: 2 ** 27 });
const types = (columns: { name: string; type: string }[]) =>
  Object.fromEntries(columns.map(({ name, type }) => [name, type]));

test('types are those that every cell is written as', async () => {
  const header = 'code,phone,n,big,huge,x,ok,day,at,zone,us,empty,mixed,e';
  const rows = [1, 2, 3].map(
    i =>
      `00${i},+49 30 ${i},${i},9007199254740993,123456789012345678901234,1.5,true,2024-01-0${i},2024-01-01 10:00:0${i},2024-01-01T10:00:00+02:00,01/02/2024,,${i === 3 ? 'x' : i},1_0${i}`,
  );
  const { columns, first } = await shop.take([header, ...rows].join('\r\n'), 'csv');
  expect(types(columns)).toEqual({
    code: 'VARCHAR',
    phone: 'VARCHAR',
    n: 'BIGINT',
    big: 'BIGINT',
    huge: 'DECIMAL(38,0)',
    x: 'DOUBLE',
    ok: 'BOOLEAN',
    day: 'DATE',
    at: 'TIMESTAMP',
    zone: 'TIMESTAMP WITH TIME ZONE',
    us: 'VARCHAR',
    empty: 'VARCHAR',
    mixed: 'VARCHAR',
    e: 'VARCHAR',
  });
  expect(first[0]).toEqual({
    code: '001',
    phone: '+49 30 1',
    n: 1,
    big: '9007199254740993',
    huge: '123456789012345678901234',
    x: 1.5,
    ok: true,
    day: '2024-01-01',
    at: '2024-01-01T10:00:01',
    zone: '2024-01-01T08:00:00Z',
    us: '01/02/2024',
    empty: null,
    mixed: '1',
    e: '1_01',
  });
  expect(columns.find(({ name }) => name === 'empty')?.nulls).toBe(3);
});

test('a column that changes its type late neither fails nor loses rows', async () => {
  const lines = Array.from(
    { length: 60_000 },
    (_, i) => `${i},${i < 30_000 ? i : `late ${i}`},${i === 50_000 ? '007' : i}`,
  );
  const { rows, columns, rejected, target } = await shop.take(`a,b,c\n${lines.join('\n')}\n`, 'csv');
  expect({ rows, rejected: rejected.count }).toEqual({ rows: 60_000, rejected: 0 });
  expect(types(columns)).toEqual({ a: 'BIGINT', b: 'VARCHAR', c: 'VARCHAR' });
  expect(await shop.tables.rows(target, { offset: 50_000, limit: 1 })).toEqual([
    { a: 50_000, b: 'late 50000', c: '007' },
  ]);
});

test('a million rows keep their order, with several threads', async () => {
  const lines = Array.from({ length: 1_000_000 }, (_, i) => `${i},${(i * 7919) % 1_000_003}`);
  const { rows, target } = await shop.take(`i,v\n${lines.join('\n')}\n`, 'csv');
  expect(rows).toBe(1_000_000);
  const [[wrong]] = (await duckdb(
    `SELECT count(*) FROM read_parquet('${target}', file_row_number = true) WHERE i <> file_row_number OR v <> i * 7919 % 1000003`,
  )) as [[bigint]];
  expect(wrong).toBe(0n);
  expect(await shop.tables.rows(target, { offset: 999_998, limit: 5 })).toHaveLength(2);
});

test('lines that end in different ways are lines all the same', async () => {
  const few = await shop.take('a,b\r\n1,x\r\n2,y\n3,"q\r\nz"\n', 'csv');
  expect([few.rows, few.rejected.count, few.first[2]]).toEqual([3, 0, { a: 3, b: 'q\nz' }]);
  expect(few.notes).toEqual([expect.stringContaining('different ways')]);
  for (const [most, last] of [
    ['\n', '\r\n'],
    ['\r\n', '\n'],
  ]) {
    const lines = Array.from({ length: 200_000 }, (_, n) => `${n},x${n}${n < 199_990 ? most : last}`);
    const many = await shop.take(`a,b${most}${lines.join('')}`, 'csv');
    expect([many.rows, many.rejected.count]).toEqual([200_000, 0]);
    expect((await shop.tables.rows(many.target, { offset: 199_999, limit: 1 }))[0]).toEqual({
      a: 199_999,
      b: 'x199999',
    });
  }
});

test('quoted line breaks, quotes and delimiters are text', async () => {
  const { first, rejected } = await shop.take('a,b\r\n"x\r\ny, ""z""",1\r\nplain,2\r\n', 'csv');
  expect(first).toEqual([
    { a: 'x\r\ny, "z"', b: 1 },
    { a: 'plain', b: 2 },
  ]);
  expect(rejected.count).toBe(0);
});

test('lines that are no rows are counted and shown with their line', async () => {
  const text = 'a,b,c\n1,"two\nlines",3\n4,5\n6,7,8\n9,10,11,12\n13,"bad"x,14\n15,16,17\n';
  const { rows, rejected, first } = await shop.take(text, 'csv');
  expect(rows).toBe(3);
  expect(first.map(row => row['a'])).toEqual([1, 6, 15]);
  expect(rejected.count).toBe(3);
  expect(rejected.samples.map(({ line, text: shown }) => [line, shown])).toEqual([
    [4, '4,5'],
    [6, '9,10,11,12'],
    [7, '13,"bad"x,14'],
  ]);
  await expect(shop.take(text, 'csv', { on_error: 'fail' })).rejects.toMatchObject({
    code: 'BAD_ROWS',
    place: 'line 4',
  });
});

test('semicolons, tabs and German decimals', async () => {
  const german = await shop.take('Name;Preis;Menge\nä;1.234,50;1\nb;-0,5;2\n', 'csv', {
    decimal_separator: ',',
    thousands_separator: '.',
  });
  expect(german.first).toEqual([
    { Name: 'ä', Preis: 1234.5, Menge: 1 },
    { Name: 'b', Preis: -0.5, Menge: 2 },
  ]);
  const untold = await shop.take('Name;Preis\na;1,5\nb;2,5\n', 'csv');
  expect(untold.first[0]).toEqual({ Name: 'a', Preis: '1,5' });
  const tabs = await shop.take('a\tb\n1\tx, y\n2\tz\n', 'tsv');
  expect(tabs.first).toEqual([
    { a: 1, b: 'x, y' },
    { a: 2, b: 'z' },
  ]);
});

test('encodings are told by their mark, by the option, or found', async () => {
  const text = 'Straße,n\nGrün,1\nweiß,2\n';
  const expected = [
    { Straße: 'Grün', n: 1 },
    { Straße: 'weiß', n: 2 },
  ];
  const latin1 = Buffer.from(text, 'latin1');
  const utf16 = Buffer.from(text, 'utf16le');
  for (const [content, options] of [
    [text, {}],
    [`\ufeff${text}`, {}],
    [latin1, {}],
    [latin1, { encoding: 'latin1' }],
    [Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), {}],
    [utf16, {}],
    [Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]), {}],
    [gzipSync(text), {}],
  ] as const)
    expect((await shop.take(content, 'csv', options)).first).toEqual(expected);
  const cyrillic = Buffer.from([0x61, 0x0a, 0xcf, 0xf0, 0xe8, 0x0a]);
  expect((await shop.take(cyrillic, 'csv', { encoding: 'windows-1251', header: true })).first).toEqual([{ a: 'При' }]);
});

test('one broken byte in a UTF-8 file costs its line and no other', async () => {
  const lines = Buffer.concat([Buffer.from('a,b\nä,1\nö,2\n'), Buffer.from([0xff]), Buffer.from(',3\nü,4\n')]);
  const { rejected, first } = await shop.take(lines, 'csv');
  expect(first.map(row => row['b'])).toEqual([1, 2, 4]);
  expect(rejected).toMatchObject({ count: 1, samples: [{ line: 4 }] });
});

test('header names are made unique, and that is said', async () => {
  const { columns, notes } = await shop.take('a,A,,a,Ünï 🙂,"x ""y"""\n1,2,3,4,5,6\n1,2,3,4,5,6\n', 'csv');
  expect(columns.map(({ name }) => name)).toEqual(['a', 'A_2', 'column3', 'a_3', 'Ünï 🙂', 'x "y"']);
  expect(notes).toHaveLength(3);
});

test('NUL bytes stay in their cells', async () => {
  const { first } = await shop.take('a,b\nx\0y,1\nz,2\n', 'csv');
  expect(first).toEqual([
    { a: 'x\0y', b: 1 },
    { a: 'z', b: 2 },
  ]);
});

test('one cell of 10 MB', async () => {
  const { rows, target } = await shop.take(`a,b\n1,${'x'.repeat(10_000_000)}\n2,y\n`, 'csv');
  expect(rows).toBe(2);
  expect((await duckdb(`SELECT max(length(b)) FROM '${target}'`))[0]?.[0]).toBe(10_000_000n);
});

test('600 columns', async () => {
  const names = Array.from({ length: 600 }, (_, i) => `c${i}`);
  const { columns, rows } = await shop.take(
    `${names.join()}\n${names.map((_, i) => i).join()}\n${names.map((_, i) => -i).join()}\n`,
    'csv',
  );
  expect({ columns: columns.length, rows, type: columns[7]?.type }).toEqual({
    columns: 600,
    rows: 2,
    type: 'BIGINT',
  });
});

test('declared types: a cell that is of another type is a rejected row', async () => {
  const { columns, rejected, first } = await shop.take('a,b\n1,2\nx,3\n4,5\n', 'csv', {
    types: { a: 'INTEGER', b: 'VARCHAR' },
  });
  expect(types(columns)).toEqual({ a: 'INTEGER', b: 'VARCHAR' });
  expect(first).toEqual([
    { a: 1, b: '2' },
    { a: 4, b: '5' },
  ]);
  expect(rejected).toMatchObject({ count: 1, samples: [{ line: 3, column: 'a' }] });
});

test.each<[string, string | Uint8Array, string, Record<string, unknown>?]>([
  ['an empty file', '', 'EMPTY_FILE'],
  ['a header alone', 'a,b\n', 'EMPTY_FILE'],
  ['an unknown option', 'a,b\n1,2\n', 'INVALID_OPTIONS', { delimeter: ',' }],
  ['a type for no column', 'a,b\n1,2\n', 'INVALID_OPTIONS', { types: { c: 'INTEGER' } }],
  ['an unknown encoding', 'a,b\n1,2\n', 'INVALID_OPTIONS', { encoding: 'klingon' }],
  ['Parquet', 'PAR1....', 'WRONG_FORMAT'],
  ['HTML', '<!DOCTYPE html><html></html>', 'WRONG_FORMAT'],
  ['PDF', '%PDF-1.7', 'WRONG_FORMAT'],
  ['JSON', '[{"a":1}]', 'WRONG_FORMAT'],
  ['noise', Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7919) % 251)), 'WRONG_FORMAT'],
  ['cut gzip', gzipSync('a,b\n1,2\n').subarray(0, 20), 'WRONG_FORMAT'],
])('%s is refused and leaves nothing', async (_what, content, code, options) => {
  await expect(shop.take(content, 'csv', options)).rejects.toMatchObject({ code });
  expect(await leftovers(shop)).toEqual([]);
});

test('a table with more columns than there is memory for is refused with their number', async () => {
  const columns = Array.from({ length: 3000 }, (_, index) => index);
  const text = [columns.map(index => `name_${index}`), columns, columns].map(cells => cells.join(',')).join('\n');
  await expect(modest.take(text, 'csv')).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
    message: 'A table of 3000 columns needs more than the 128 MiB that a job has here',
  });
  expect(await leftovers(modest)).toEqual([]);
});

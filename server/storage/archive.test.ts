// Objects go through one stream and come out as they were, however the stream is cut.
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { testFolder } from '../database/testing.ts';
import { append, appendixOf, readPart } from '../files/appendix.ts';
import { pack, unpack } from './archive.ts';
import { openStorage } from './index.ts';

const data = await testFolder();
const [from, to, broken] = await Promise.all(
  ['from', 'to', 'broken'].map(name => openStorage({ folder: join(data.path, name) })),
);
if (!from || !to || !broken) throw new Error('no storage');
afterAll(async () => {
  await Promise.all([from.close(), to.close(), broken.close()]);
  await data.remove();
});

const contents: Record<string, Buffer> = {
  'datasets/a/ds_1/x/data.parquet': Buffer.alloc(300_000, 'line\nend {"key"'),
  'datasets/a/ds_2/y/data.parquet': Buffer.alloc(0),
  'models/m_1/model.onnx': Buffer.from([0, 10, 13, 255]),
};

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

test('a backup file keeps its beginning, and what is behind it is found', async () => {
  for (const [key, bytes] of Object.entries(contents)) await from.write(key, cut(bytes, 70_000));
  const file = join(data.path, 'file');
  await writeFile(file, 'the dump');
  expect(await appendixOf(file)).toBeNull();
  await append(file, pack(from));
  const appendix = await appendixOf(file);
  if (!appendix) throw new Error('no appendix');
  expect(Buffer.concat(await readPart(file, { start: 0, end: appendix.start }).toArray()).toString()).toBe('the dump');
  expect(await unpack(readPart(file, appendix), to)).toEqual({ objects: 3, bytes: 300_004 });
  for (const [key, bytes] of Object.entries(contents))
    expect(Buffer.concat(await (await to.read(key)).toArray()).equals(bytes)).toBe(true);
});

test('a stream in pieces of any size is the same, and one that is cut off is refused', async () => {
  const whole = Buffer.concat(await Array.fromAsync(pack(to)));
  for (const size of [7, 4096, whole.length]) expect((await unpack(cut(whole, size), to)).objects).toBe(3);
  await expect(unpack(cut(whole.subarray(0, whole.length - 2), 4096), broken)).rejects.toThrow('cut off');
  await expect(unpack(cut(Buffer.alloc(10_000, 'x'), 4096), broken)).rejects.toThrow('damaged');
});

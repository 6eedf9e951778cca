import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createZip } from './zip.ts';

function endless(): Readable {
  return new Readable({ read: () => {} });
}

test('what is being read is closed when the reader leaves, and nothing is opened after that', async () => {
  const zip = createZip();
  const first = endless();
  let opened = 0;
  zip.add('first', () => (opened++, first));
  zip.add('second', () => (opened++, endless()));
  void zip.end();
  first.push('some bytes');
  for await (const _ of zip.stream) break;
  await sleep(10);
  expect([zip.stream.destroyed, first.destroyed, opened]).toEqual([true, true, 1]);
});

test('a file that opens after the reader has left is closed', async () => {
  const zip = createZip();
  const late = endless();
  const opening = Promise.withResolvers<Readable>();
  zip.add('late', () => opening.promise);
  zip.stream.destroy();
  opening.resolve(late);
  await sleep(10);
  expect(late.destroyed).toBe(true);
});

test('an error in a file, or in opening it, is the error of the zip', async () => {
  for (const open of [() => Promise.reject(new Error('no such file')), () => Readable.from(failing())]) {
    const zip = createZip();
    zip.add('bad', open);
    void zip.end();
    await expect(zip.stream.toArray()).rejects.toThrow('no such file');
  }
});

async function* failing(): AsyncGenerator<string> {
  yield 'begins well';
  throw new Error('no such file');
}

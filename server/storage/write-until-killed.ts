// The program that storage.test.ts kills: one object is whole, another half written, and a scratch folder has a file in it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStorage } from './index.ts';

const [folder = ''] = process.argv.slice(2);
const storage = await openStorage({ folder });
await storage.write('whole', bytes());
const scratch = await storage.scratch();
await writeFile(join(scratch.path, 'half'), 'half');
await storage.write('half', bytesForEver());

async function* bytes(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('all of it');
}

async function* bytesForEver(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half of it');
  console.log('half written');
  await new Promise(resolve => setTimeout(resolve, 600_000));
}

// The program that crash.test.ts kills: a server with the upload routes on a storage folder that outlives it.
import { join } from 'node:path';
import { openParts, startServer } from '../http/testing.ts';
import { openStorage } from '../storage/index.ts';
import { createUploads } from './index.ts';
import { mountEcho } from './testing.ts';

const [folder = ''] = process.argv.slice(2);
const storage = await openStorage({ folder });
const uploads = createUploads({ storage, folder: join(folder, 'resumable') });
const parts = await openParts();
const server = await startServer(parts, app => mountEcho(app, uploads));
process.send?.({ url: server.url, key: parts.key.ordinary, accountId: parts.accountId });

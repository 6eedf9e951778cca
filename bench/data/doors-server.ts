// The server that doors.ts measures: the real HTTP server with accounts and keys, whose upload routes throw the scratch file away.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { routes } from '@vectorium/contract';
import { type Context, mount, Raw } from '../../server/http/index.ts';
import { openParts, startServer } from '../../server/http/testing.ts';
import { openStorage } from '../../server/storage/index.ts';
import { createUploads, type UploadRequest } from '../../server/uploads/index.ts';

const [place = '.'] = process.argv.slice(2);
const folder = await mkdtemp(join(place, 'vectorium-doors-'));
const storage = await openStorage({ folder });
const parts = await openParts();
const uploads = createUploads({ storage, folder: join(folder, 'resumable') });
const room = { grow: async () => {} };

async function receive(request: UploadRequest): Promise<Raw> {
  const { bytes, sha256, discard } = await uploads.receive(request, room);
  await discard();
  return new Raw(JSON.stringify({ bytes, sha256 }));
}

async function resume(
  context: Pick<Context<typeof routes.putDataset>, 'request' | 'requestId' | 'reply'>,
): Promise<Raw> {
  const exchange = { ...context, accountId: parts.accountId };
  const answer = await uploads.resume(exchange, room, async ({ bytes, sha256 }) => ({ bytes, sha256 }));
  context.reply.code(answer.status).headers(answer.headers);
  return new Raw(answer.body);
}

const server = await startServer(parts, app => {
  mount(app, routes.uploadDataset, receive);
  mount(app, routes.putDataset, receive);
  mount(app, routes.createResumableUpload, resume);
  mount(app, routes.continueResumableUpload, resume);
  mount(app, routes.livez, () => ({ status: 'ok' }) as const);
});
process.once('message', () => void stop());
process.send?.({ url: server.url, key: parts.key.ordinary });

async function stop(): Promise<void> {
  await server.close();
  await uploads.close();
  await storage.close();
  await parts.close();
  await rm(folder, { recursive: true });
  process.disconnect();
}

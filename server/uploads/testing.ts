// A server whose upload routes give back what they received, for tests and measurements.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type AnswerOf, routes } from '@vectorium/contract';
import { type App, ApiError, mount, Raw } from '../http/index.ts';
import type { Context } from '../http/index.ts';
import { openParts, startServer, type TestParts, type TestServer } from '../http/testing.ts';
import { openStorage } from '../storage/index.ts';
import { createUploads, type ReceivedUpload, type Room, type Uploads, type UploadsOptions } from './index.ts';

/** A room of so many bytes. */
export function roomOf(limit: number): Room {
  return {
    async grow(bytes) {
      if (bytes > limit)
        throw new ApiError('STORAGE_QUOTA_EXCEEDED', { message: `${bytes} of ${limit} bytes don't fit` });
    },
  };
}

/** The answer has what the handler saw, and the hash of what is really in the file. */
export function mountEcho(app: App, uploads: Uploads, room: Room = roomOf(Infinity)): void {
  const echo = async (context: Context<typeof routes.uploadDataset> | Context<typeof routes.putDataset>) => {
    const received = await uploads.receive(context, room);
    const { sha256, format, options, name, description } = received;
    try {
      return await context.once(
        { sha256, format, options, name, description },
        async () => (await describe(received)) as AnswerOf<typeof routes.uploadDataset>,
      );
    } finally {
      await received.discard();
    }
  };
  mount(app, routes.uploadDataset, echo);
  mount(app, routes.putDataset, echo);
  const resume = async (
    context: Pick<Context<typeof routes.putDataset>, 'request' | 'requestId' | 'caller' | 'reply'>,
  ) => {
    const { request, requestId, caller, reply } = context;
    const answer = await uploads.resume({ request, requestId, accountId: caller.account.id }, room, describe);
    reply.code(answer.status).headers(answer.headers);
    return new Raw(answer.body, answer.headers['content-type']);
  };
  mount(app, routes.createResumableUpload, resume);
  mount(app, routes.getResumableUpload, resume);
  mount(app, routes.continueResumableUpload, resume);
  mount(app, routes.deleteResumableUpload, resume);
}

/** The routes on a folder that may have been used before, until they are stopped. */
export interface Doors {
  server: TestServer;
  uploads: Uploads;
  stop(): Promise<void>;
}

export async function openDoors(
  { parts, folder }: { parts: TestParts; folder: string },
  options: Partial<UploadsOptions> = {},
  { room, change = same }: { room?: Room | undefined; change?: (uploads: Uploads) => Uploads } = {},
): Promise<Doors> {
  const storage = await openStorage({ folder });
  const uploads = createUploads({ storage, folder: join(folder, 'resumable'), ...options });
  const server = await startServer(parts, app => mountEcho(app, change(uploads), room));
  return {
    server,
    uploads,
    async stop() {
      await server.close();
      await uploads.close();
      await storage.close();
    },
  };
}

const same = (uploads: Uploads): Uploads => uploads;

/** The same as a server of its own, on a storage folder that may have been used before. */
export async function serveEcho(folder: string): Promise<{ url: string; key: string }> {
  const storage = await openStorage({ folder });
  const uploads = createUploads({ storage, folder: join(folder, 'resumable') });
  const parts = await openParts();
  const { url } = await startServer(parts, app => mountEcho(app, uploads));
  return { url, key: parts.key.ordinary };
}

async function describe(upload: ReceivedUpload): Promise<object> {
  const { path, discard, ...rest } = upload;
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  await discard();
  return { ...rest, sha256OfFile: hash.digest('hex') };
}

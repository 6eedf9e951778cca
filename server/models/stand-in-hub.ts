// For tests: a local HTTP server that answers as the Hugging Face hub does, and can misbehave on request.
//
// Large files are redirected to storage on another host name, with the hub's x-linked headers; small ones are answered
// directly with git's blob hash as ETag. Both know ranges.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const LARGE_BYTES = 100_000;
const CHUNK_BYTES = 64 * 1024;

export interface StandInHub {
  endpoint: string;
  /** What was asked for, in order. */
  requests: { method: string; path: string; range: string | undefined; token: string | undefined; storage: boolean }[];
  misbehave: {
    /** How many more transfers break off after their first 200 kB. */
    drops: number;
    /** A file whose bytes come out wrong. */
    corrupt: string | null;
    /** Pause after each 64 kB. */
    pauseMs: number;
    /** Answers with the whole file whatever the range. */
    ignoreRanges: boolean;
    /** HTTP status for everything. */
    status: number | null;
    commit: string | null;
  };
  close(): Promise<void>;
}

/** Serves `files` (path → bytes) as `model` at `revision`. */
export async function standInHub(model: string, revision: string, files: Record<string, Buffer>): Promise<StandInHub> {
  const requests: StandInHub['requests'] = [];
  const misbehave: StandInHub['misbehave'] = {
    drops: 0,
    corrupt: null,
    pauseMs: 0,
    ignoreRanges: false,
    status: null,
    commit: null,
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    const storage = url.pathname.startsWith('/storage/');
    const path = url.pathname.replace(storage ? '/storage/' : `/${model}/resolve/${revision}/`, '');
    const { range, authorization: token } = request.headers;
    requests.push({ method: request.method ?? '', path, range, token, storage });
    if (misbehave.status) return void response.writeHead(misbehave.status).end();
    const bytes = files[path];
    if (!bytes) return void response.writeHead(404).end();
    const { port } = server.address() as AddressInfo;
    const commit = { 'x-repo-commit': misbehave.commit ?? revision };
    if (bytes.length >= LARGE_BYTES && !storage) {
      const linked = { 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': String(bytes.length) };
      return void response
        .writeHead(302, { ...commit, ...linked, location: `http://localhost:${port}/storage/${path}` })
        .end();
    }
    const etag = `"${createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')}"`;
    const start = misbehave.ignoreRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      ...(storage ? {} : { ...commit, etag }),
      'content-length': String(bytes.length - start),
      ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    void send(response, path === misbehave.corrupt ? Buffer.from(bytes).fill(7, bytes.length - 10) : bytes, start);
  });

  async function send(response: ServerResponse, bytes: Buffer, start: number) {
    const drop = bytes.length >= LARGE_BYTES && misbehave.drops > 0;
    if (drop) misbehave.drops -= 1;
    for (let at = start; at < bytes.length; at += CHUNK_BYTES) {
      if (drop && at - start >= 200_000) return void response.destroy();
      if (response.destroyed) return;
      if (!response.write(bytes.subarray(at, at + CHUNK_BYTES))) await once(response, 'drain').catch(() => {});
      if (misbehave.pauseMs > 0) await sleep(misbehave.pauseMs);
    }
    response.end();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    misbehave,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

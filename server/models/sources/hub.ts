// The Hugging Face hub: files of a repository at a pinned commit, checked against the catalog's hashes or the hub's own.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogEntry, CatalogFile } from '../catalog.ts';
import { downloadAll, Refused, type RemoteFile } from './download.ts';
import type { ModelSource } from './source.ts';

export interface Hub {
  /** https://huggingface.co or a mirror of it. */
  endpoint: string;
  token?: string | undefined;
}

const ANSWER_TIMEOUT_MS = 15_000;
/** A hub that is not there at all should not hold up the sources after it. */
const FIRST_ANSWER_TIMEOUT_MS = 5_000;

export function hubSource(entry: CatalogEntry, hub: Hub): ModelSource {
  const address = (path: string) =>
    `${hub.endpoint.replace(/\/+$/, '')}/${entry.model}/resolve/${entry.revision}/${path}`;
  const describe = (file: CatalogFile, timeoutMs: number, signal?: AbortSignal) =>
    describeFile({ hub, entry, file, url: address(file.path), timeoutMs, signal });
  return {
    name: 'Hugging Face hub',
    async reachable() {
      const [first] = entry.files;
      return first !== undefined && (await describe(first, 2_000).then(Boolean, () => false));
    },
    async fetch(job) {
      const remotes: { file: CatalogFile; remote: RemoteFile }[] = [];
      for (const file of entry.files) {
        const timeoutMs = remotes.length === 0 ? FIRST_ANSWER_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
        remotes.push({ file, remote: await twice(() => describe(file, timeoutMs, job.signal), job.signal) });
      }
      return downloadAll(remotes, job);
    },
  };
}

/**
 * Asks for a file's size and hash without fetching it. The hub answers for large files with a redirect whose headers hold
 * `x-linked-etag` (SHA-256) and `x-linked-size`; for small ones the ETag is git's blob hash. `x-repo-commit` is the commit.
 */
async function describeFile(o: {
  hub: Hub;
  entry: CatalogEntry;
  file: CatalogFile;
  url: string;
  timeoutMs: number;
  signal: AbortSignal | undefined;
}): Promise<RemoteFile> {
  const timeout = AbortSignal.timeout(o.timeoutMs);
  const signal = o.signal ? AbortSignal.any([o.signal, timeout]) : timeout;
  const { response, linked } = await follow(o.url, { method: 'HEAD', hub: o.hub, signal });
  const commit = linked.get('x-repo-commit');
  if (commit && commit !== o.entry.revision) throw new Refused(`the hub answers with commit ${commit}`);
  const tag = (linked.get('x-linked-etag') ?? response.headers.get('etag') ?? '').replace(/^W\//, '').replace(/"/g, '');
  const size = linked.get('x-linked-size') ?? response.headers.get('content-length');
  return {
    bytes: o.file.bytes ?? (size ? Number(size) : null),
    sha256: o.file.sha256 ?? (/^[0-9a-f]{64}$/.test(tag) ? tag : null),
    gitBlob: !o.file.sha256 && /^[0-9a-f]{40}$/.test(tag) ? tag : null,
    open: (offset, reading) => openFile(o.url, offset, { hub: o.hub, signal: reading }),
  };
}

async function openFile(url: string, offset: number, o: { hub: Hub; signal: AbortSignal }) {
  const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const { response } = await follow(url, { method: 'GET', headers: range, ...o });
  const start =
    response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? 0) : 0;
  if (!response.body || start > offset) throw new Error('the server answered without the bytes asked for');
  return { start, body: response.body };
}

/** Follows redirects by hand: headers of the hub's own answers are kept, and the token never goes to another host. */
async function follow(
  url: string,
  o: { method: 'HEAD' | 'GET'; headers?: Record<string, string>; hub: Hub; signal: AbortSignal },
): Promise<{ response: Response; linked: Headers }> {
  const linked = new Headers();
  const home = new URL(url).host;
  let at = new URL(url);
  for (let hop = 0; hop < 8; hop += 1) {
    const token: Record<string, string> =
      o.hub.token && at.host === home ? { authorization: `Bearer ${o.hub.token}` } : {};
    const response = await fetch(at, {
      method: o.method,
      redirect: 'manual',
      signal: o.signal,
      // Compressed bytes could not be resumed by offset, and their length would say nothing.
      headers: { 'user-agent': 'vectorium', 'accept-encoding': 'identity', ...o.headers, ...token },
    });
    if (at.host === home) {
      for (const name of ['x-repo-commit', 'x-linked-etag', 'x-linked-size']) {
        const value = response.headers.get(name);
        if (value && !linked.has(name)) linked.set(name, value);
      }
    }
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location) {
      await response.body?.cancel();
      // All that a HEAD is for has been said; storage behind the hub often doesn't answer HEAD.
      if (o.method === 'HEAD' && linked.has('x-linked-etag')) return { response, linked };
      at = new URL(location, at);
      continue;
    }
    if (response.ok) return { response, linked };
    await response.body?.cancel();
    const said = `HTTP ${response.status}${response.status === 401 || response.status === 403 ? ' (HF_TOKEN?)' : ''} from ${at.host}`;
    if (response.status === 429 || response.status >= 500) throw new Error(said);
    throw new Refused(said);
  }
  throw new Refused('too many redirects');
}

async function twice<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Refused) throw error;
    await sleep(300, undefined, { signal });
    return ask();
  }
}

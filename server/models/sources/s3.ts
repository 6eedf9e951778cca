// A prefix of an S3 bucket that holds a model's files, laid out as in the catalog.
import { connectS3, parseS3Url, type S3Connection, type S3Place } from '../../files/s3.ts';
import type { CatalogEntry, CatalogFile } from '../catalog.ts';
import { downloadAll, Refused, type RemoteFile } from './download.ts';
import type { ModelSource } from './source.ts';

export function s3Source(entry: CatalogEntry, url: string, place: S3Place): ModelSource {
  const { bucket, prefix } = parseS3Url(url);
  const keyOf = (file: CatalogFile) => [prefix, file.path].filter(Boolean).join('/');
  return {
    name: url,
    async reachable() {
      const [first] = entry.files;
      if (!first) return false;
      const s3 = await connectS3(place);
      try {
        await describe(s3, bucket, keyOf(first), AbortSignal.timeout(2_000));
        return true;
      } catch {
        return false;
      } finally {
        s3.client.destroy();
      }
    },
    async fetch(job) {
      const s3 = await connectS3(place);
      try {
        const remotes: { file: CatalogFile; remote: RemoteFile }[] = [];
        for (const file of entry.files) {
          const remote = await describe(s3, bucket, keyOf(file), job.signal);
          remotes.push({ file, remote: { ...remote, sha256: file.sha256 } });
        }
        return await downloadAll(remotes, job);
      } finally {
        s3.client.destroy();
      }
    },
  };
}

async function describe({ client, sdk }: S3Connection, Bucket: string, Key: string, signal: AbortSignal) {
  const head = await client
    .send(new sdk.HeadObjectCommand({ Bucket, Key }), { abortSignal: signal })
    .catch((error: unknown) => {
      throw new Error(`s3://${Bucket}/${Key}: ${error instanceof Error ? error.name : String(error)}`, {
        cause: error,
      });
    });
  // Objects of a prefix can be overwritten: a changed one is refused rather than glued to the old one's beginning.
  const IfMatch = head.ETag;
  const remote: RemoteFile = {
    bytes: head.ContentLength ?? null,
    sha256: null,
    gitBlob: null,
    async open(offset, reading) {
      const range = offset > 0 ? { Range: `bytes=${offset}-` } : {};
      const get = new sdk.GetObjectCommand({ Bucket, Key, ...range, ...(IfMatch ? { IfMatch } : {}) });
      const { Body, ContentRange } = await client.send(get, { abortSignal: reading });
      if (!Body) throw new Refused('an answer without a body');
      const start = Number(/^bytes (\d+)-/.exec(ContentRange ?? '')?.[1] ?? 0);
      return { start, body: Body as AsyncIterable<Uint8Array> };
    },
  };
  return remote;
}

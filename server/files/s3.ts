// The way to an S3 server, for all parts that use one.
import type { S3Client } from '@aws-sdk/client-s3';

/** Where S3 is when it is not Amazon's; keys and region come from the usual AWS_ variables or files. */
export interface S3Place {
  endpoint?: string | undefined;
  region?: string | undefined;
}

export interface S3Connection {
  client: S3Client;
  sdk: typeof import('@aws-sdk/client-s3');
}

/** The SDK takes a while to load, so it is loaded by those who need it. */
export async function connectS3(place: S3Place): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    ...(place.region ? { region: place.region } : {}),
    ...(place.endpoint ? { endpoint: place.endpoint, forcePathStyle: true } : {}),
  });
  return { client, sdk };
}

/** The parts of `s3://bucket/prefix`; the prefix has no slash at its ends. Throws for what is no such address. */
export function parseS3Url(url: string): { bucket: string; prefix: string } {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,62})(?:\/+(.*))?$/i.exec(url) ?? [];
  if (bucket === undefined) throw new Error(`"${url}" is no address of the form s3://bucket/prefix`);
  return { bucket, prefix: prefix.replace(/\/+$/, '') };
}

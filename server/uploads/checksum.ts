// The checksum extension of tus: bytes that don't have the digest that their request says are not kept.
import { createHash, type Hash } from 'node:crypto';

const algorithms = ['sha1', 'sha256', 'md5'];

/** As the tus library's own refusals are, which become answers. */
interface Refusal {
  status_code: number;
  body: string;
}
const mismatch: Refusal = {
  status_code: 460,
  body: 'The bytes have another checksum than Upload-Checksum says: send them again\n',
};
const unknown: Refusal = {
  status_code: 400,
  body: `Upload-Checksum must be one of ${algorithms.join(', ')}, a blank, and the digest in base64\n`,
};

export interface Checksum {
  /** The same bytes, looked at on their way. */
  through(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer>;
  /** Throws when what went through has another digest. */
  verify(): void;
}

/** Null when the request says nothing. Throws when nobody knows the algorithm. */
export function checksumOf(header: string | string[] | undefined): Checksum | null {
  if (header === undefined) return null;
  const [algorithm = '', digest = ''] = String(header).split(' ');
  if (!algorithms.includes(algorithm) || digest === '') throw unknown;
  const hash: Hash = createHash(algorithm);
  return {
    async *through(bytes) {
      for await (const piece of bytes) {
        hash.update(piece);
        yield piece;
      }
    },
    verify() {
      if (hash.digest('base64') !== digest) throw mismatch;
    },
  };
}

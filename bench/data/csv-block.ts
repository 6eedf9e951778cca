// A piece of a CSV file without a head, of which files of any size are made.

/** A multiple of three, so that base64 of pieces is base64 of the file. */
export const blockBytes = 3 * 1024 * 1024;

/** Lines as a CSV file has them, from a generator that always gives the same. */
export function csvBlock(): Buffer {
  let state = 1;
  const next = () => (state = (state * 48_271) % 2_147_483_647);
  const lines: string[] = [];
  for (let bytes = 0; bytes < blockBytes; bytes += lines.at(-1)?.length ?? 0)
    lines.push(`${next()},customer ${next() % 100_000},"Street ${next() % 1000}, Town",${(next() % 1e6) / 100}\n`);
  return Buffer.from(lines.join('')).subarray(0, blockBytes);
}

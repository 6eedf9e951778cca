// A dataset as a file that other programs read.
import type { JobContext } from './job.ts';
import type { Jobs } from './protocol.ts';
import { literal } from './sql.ts';

const copyOptions: Record<Jobs['export']['input']['format'], string> = {
  csv: 'FORMAT csv, HEADER true',
  json: 'FORMAT json, ARRAY true',
  ndjson: 'FORMAT json',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
};

export async function exportFile(
  { source, format, target }: Jobs['export']['input'],
  { query }: JobContext,
): Promise<null> {
  await query(
    `COPY (FROM read_parquet(${literal(source)})) TO ${literal(target)} (${copyOptions[format]}, USE_TMP_FILE false)`,
  );
  return null;
}

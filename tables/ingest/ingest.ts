// Uploaded files become Parquet: one function for each format.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import type { IngestJob, Ingested } from '../types.ts';
import { ingestDelimited, readDialect } from './delimited.ts';
import type { Written } from './delimited.ts';
import { lookAtHead } from './look.ts';
import { Options } from './options.ts';
import { describeParquet } from './parquet.ts';
import { refuseOtherFormats } from './recognise.ts';

export async function ingest(job: IngestJob, context: JobContext): Promise<Ingested> {
  const { head, sizeBytes } = await lookAtHead(job.source);
  if (sizeBytes === 0) throw new TableError('EMPTY_FILE', 'The file is empty', { place: 'byte 0' });
  refuseOtherFormats(job.format, head);
  const options = new Options(job.options);
  const onError = options.oneOf('on_error', ['skip', 'fail'], 'skip');
  const { rows, rejected, notes } = await write(job, options, context);
  const sample = rejected.samples[0];
  if (onError === 'fail' && sample)
    throw new TableError('BAD_ROWS', `Line ${sample.line} is not a row: ${sample.reason}`, {
      place: `line ${sample.line}`,
    });
  return { rows, columns: await describeParquet(context, job.target), rejected, notes };
}

async function write({ source, format, target }: IngestJob, options: Options, context: JobContext): Promise<Written> {
  if (format === 'csv' || format === 'tsv') {
    const dialect = readDialect(options, format === 'tsv' ? '\t' : undefined);
    options.end();
    return ingestDelimited(source, dialect, context, target);
  }
  throw new TableError('FAILED', `${format} is not part of this build`);
}

// Uploaded files become Parquet: one function for each format.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import type { IngestJob, Ingested } from '../types.ts';
import { ingestArrow } from './arrow.ts';
import { ingestDelimited, readDialect } from './delimited.ts';
import type { Written } from './delimited.ts';
import { ingestJson } from './json.ts';
import { ingestLines, readFixedWidth, readPattern } from './lines.ts';
import { lookAtHead } from './look.ts';
import { ingestOperatorFormat } from './operator-format.ts';
import { Options } from './options.ts';
import { ingestParquet } from './parquet-file.ts';
import { describeParquet } from './parquet.ts';
import { refuseOtherFormats } from './recognise.ts';
import { ingestXlsx } from './xlsx.ts';

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

async function write(
  { source, format, target, options: given }: IngestJob,
  options: Options,
  context: JobContext,
): Promise<Written> {
  if (format === 'csv' || format === 'tsv') {
    const dialect = readDialect(options, format === 'tsv' ? '\t' : undefined);
    options.end();
    return ingestDelimited(source, dialect, context, target);
  }
  if (format === 'parquet') {
    options.end();
    return ingestParquet(source, context, target);
  }
  if (format === 'arrow') {
    options.end();
    return ingestArrow(source, context, target);
  }
  if (format === 'xlsx') {
    const sheet = options.text('sheet');
    const header = options.flag('header') ?? true;
    options.end();
    return ingestXlsx(source, { sheet, header }, context, target);
  }
  if (format === 'custom') return ingestCustom(source, options, given, context, target);
  const encoding = options.text('encoding');
  options.end();
  return ingestJson(source, encoding, context, target);
}

function ingestCustom(
  source: string,
  options: Options,
  given: Record<string, unknown>,
  context: JobContext,
  target: string,
): Promise<Written> {
  const kind = options.text('kind');
  if (kind === undefined)
    throw new TableError(
      'INVALID_OPTIONS',
      'options.kind must be delimited, pattern, fixed_width or a format of this server',
      {
        param: 'options.kind',
      },
    );
  if (kind === 'pattern') return ingestLines(source, readPattern(options), context, target);
  if (kind === 'fixed_width') return ingestLines(source, readFixedWidth(options), context, target);
  if (kind !== 'delimited') return ingestOperatorFormat(kind, source, given, context, target);
  const dialect = readDialect(options, undefined);
  options.end();
  return ingestDelimited(source, dialect, context, target);
}

// What a file looks like, so that a wrong `format` is named instead of misread.
import { TableError } from '../errors.ts';
import type { Format } from '../types.ts';
import { byteOrderMark, looksLikeUtf16 } from './look.ts';

type Seen = 'parquet' | 'arrow' | 'zip' | 'gzip' | 'pdf' | 'html' | 'json' | 'binary' | 'text';

const names: Record<Seen, string> = {
  parquet: 'a Parquet file',
  arrow: 'an Arrow file',
  zip: 'a zip archive (as .xlsx files are)',
  gzip: 'gzip-compressed data',
  pdf: 'a PDF document',
  html: 'an HTML page',
  json: 'JSON',
  binary: 'binary data',
  text: 'text',
};

/** What may stand in a file of each format. JSON within CSV is a cell; the JSON reader knows better what it can't read. */
const fitting: Record<Format, readonly Seen[]> = {
  csv: ['text', 'gzip'],
  tsv: ['text', 'gzip'],
  json: ['json', 'gzip'],
  ndjson: ['json', 'gzip', 'text'],
  parquet: ['parquet'],
  arrow: ['arrow'],
  xlsx: ['zip'],
  custom: ['text', 'html', 'json', 'binary', 'gzip', 'pdf', 'zip', 'parquet', 'arrow'],
};

export function looksLike(head: Buffer): Seen {
  const start = head.toString('latin1', 0, 8);
  if (start.startsWith('PAR1')) return 'parquet';
  // A file, or a stream, whose first message begins with a continuation mark and a length.
  if (start.startsWith('ARROW1') || /^\xff\xff\xff\xff[^]{2}[^]\0/.test(start)) return 'arrow';
  if (start.startsWith('PK\x03\x04') || start.startsWith('PK\x05\x06')) return 'zip';
  if (start.startsWith('\x1f\x8b')) return 'gzip';
  if (start.startsWith('%PDF-')) return 'pdf';
  const mark = byteOrderMark(head) ?? looksLikeUtf16(head);
  const text = new TextDecoder(mark ?? 'utf-8').decode(head);
  if (mark === null && isBinary(head)) return 'binary';
  const trimmed = text.trimStart();
  if (/^<(!doctype html|html[\s>]|head[\s>]|body[\s>])/i.test(trimmed)) return 'html';
  if (/^(\{\s*("|\})|\[\s*(\{|\[|\]|"|-?\d|true|false|null))/.test(trimmed)) return 'json';
  return 'text';
}

/** Refuses a file that is plainly something else than the format that was named. */
export function refuseOtherFormats(format: Format, head: Buffer): void {
  const seen = looksLike(head);
  if (fitting[format].includes(seen)) return;
  // A CSV line may begin with a bracket.
  if (seen === 'json' && (format === 'csv' || format === 'tsv') && !isJsonStart(head)) return;
  throw new TableError('WRONG_FORMAT', `The file is not ${format}: it looks like ${names[seen]}`, {
    param: 'format',
    place: 'byte 0',
  });
}

/** `[{` or `{"name":`, which no table's line begins with. */
function isJsonStart(head: Buffer): boolean {
  return /^(\[\s*\{|\{\s*"[^"]*"\s*:)/.test(
    head
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trimStart(),
  );
}

/** Control characters that no text has; a few NUL bytes are a slip of the program that wrote a text. */
function isBinary(head: Buffer): boolean {
  let odd = 0;
  for (const byte of head) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27) || byte === 127) odd++;
  return odd > Math.max(8, head.length * 0.02);
}

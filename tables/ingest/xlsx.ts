// Excel workbooks: one sheet is a table. The library reads a sheet whole, so files are capped.
import readWorkbook from 'read-excel-file/node';
import { readFile } from 'node:fs/promises';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import type { Written } from './delimited.ts';
import { lookAtHead } from './look.ts';
import { uniqueNames } from './names.ts';
import { ingestObjects } from './objects.ts';
import { refuseEmpty } from './text-table.ts';

export const maxXlsxBytes = 50 * 2 ** 20;
/** Of all parts together, as the archive declares them. */
const maxUnpackedBytes = 500 * 2 ** 20;

type Cell = string | number | boolean | Date | null;

export async function ingestXlsx(
  source: string,
  { sheet: wanted, header }: { sheet: string | undefined; header: boolean },
  context: JobContext,
  target: string,
): Promise<Written> {
  const { sizeBytes } = await lookAtHead(source);
  if (sizeBytes > maxXlsxBytes)
    throw new TableError(
      'TOO_LARGE',
      `An xlsx file may have ${maxXlsxBytes / 2 ** 20} MiB; export a larger one as csv`,
    );
  const bytes = await readFile(source);
  refuseCut(bytes);
  refuseLargeParts(bytes);
  const sheets = await parse(bytes);
  const sheet = wanted === undefined ? sheets[0] : sheets.find(({ name }) => name === wanted);
  if (!sheet)
    throw new TableError(
      'INVALID_OPTIONS',
      `There is no sheet ${JSON.stringify(wanted ?? '')}; there are ${sheets.map(({ name }) => name).join(', ')}`,
      {
        param: 'options.sheet',
      },
    );
  const width = Math.max(0, ...sheet.rows.map(row => row.length));
  const filled = sheet.rows.filter(row => row.some(cell => cell !== null));
  const body = header ? filled.slice(1) : filled;
  const { names, notes } = uniqueNames(
    Array.from({ length: width }, (_, index) => (header ? asText(filled[0]?.[index] ?? null) : null)),
  );
  refuseEmpty(body.length, 0);
  const columns = names.map((name, index) => ({ name, index, type: columnType(body, index) }));
  const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  const objects = body
    .values()
    .map(row => Object.fromEntries(columns.map(({ name, index, type }) => [name, toType(row[index] ?? null, type)])));
  const rows = await ingestObjects(objects, types, context, target);
  return { rows, rejected: { count: 0, samples: [] }, notes };
}

async function parse(bytes: Buffer): Promise<{ name: string; rows: Cell[][] }[]> {
  try {
    const sheets = await readWorkbook(bytes);
    // The library's type for a date is that of its constructor.
    return sheets.map(({ sheet, data }) => ({ name: sheet, rows: data as unknown as Cell[][] }));
  } catch (error) {
    throw new TableError(
      'WRONG_FORMAT',
      `The file is no complete xlsx workbook: ${error instanceof Error ? error.message : String(error)}`,
      {
        place: `within its ${bytes.length} bytes`,
      },
    );
  }
}

function columnType(rows: Cell[][], index: number): string {
  const kinds = new Set<string>();
  for (const row of rows) {
    const cell = row[index] ?? null;
    if (cell === null) continue;
    if (cell instanceof Date) kinds.add(cell.getTime() % 86_400_000 === 0 ? 'DATE' : 'TIMESTAMP');
    else if (typeof cell === 'number') kinds.add(Number.isSafeInteger(cell) ? 'BIGINT' : 'DOUBLE');
    else kinds.add(typeof cell === 'boolean' ? 'BOOLEAN' : 'VARCHAR');
  }
  const [first = 'VARCHAR', ...others] = kinds;
  if (others.length === 0) return first;
  if ([...kinds].every(kind => kind === 'BIGINT' || kind === 'DOUBLE')) return 'DOUBLE';
  return [...kinds].every(kind => kind === 'DATE' || kind === 'TIMESTAMP') ? 'TIMESTAMP' : 'VARCHAR';
}

function toType(cell: Cell, type: string): Cell {
  if (type === 'DATE' && cell instanceof Date) return cell.toISOString().slice(0, 10);
  if (type === 'TIMESTAMP' && cell instanceof Date) return cell.toISOString().slice(0, -1);
  return type === 'VARCHAR' ? asText(cell) : cell;
}

function asText(cell: Cell): string | null {
  if (cell === null) return null;
  if (!(cell instanceof Date)) return String(cell);
  return cell
    .toISOString()
    .replace(/T00:00:00\.000Z$/, '')
    .replace(/(\.000)?Z$/, '');
}

/** The library reads what it finds; an archive is whole when its last record is, up to the end of the comment that may follow. */
function refuseCut(bytes: Buffer): void {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  const isWhole = end >= 0 && end + 22 <= bytes.length && end + 22 + bytes.readUInt16LE(end + 20) <= bytes.length;
  if (isWhole) return;
  throw new TableError('WRONG_FORMAT', 'The file is no complete xlsx workbook: its archive has no end', {
    place: `byte ${bytes.length}`,
  });
}

/** Adds up the sizes in the archive's central directory: a small file may unpack to more than there is memory. */
function refuseLargeParts(bytes: Buffer): void {
  let unpacked = 0;
  const signature = Buffer.from('PK\x01\x02', 'latin1');
  for (let at = bytes.indexOf(signature); at >= 0 && at + 28 <= bytes.length; at = bytes.indexOf(signature, at + 4))
    unpacked += bytes.readUInt32LE(at + 24);
  if (unpacked > maxUnpackedBytes)
    throw new TableError(
      'TOO_LARGE',
      `The workbook unpacks to more than ${maxUnpackedBytes / 2 ** 20} MiB; export it as csv`,
    );
}

// Arrow files and streams (IPC), batch by batch.
//
// Values go through lines of JSON with the types that the schema says: times as text with all of their digits, 64-bit
// integers and decimals as digits, blobs as base64.
import { CompressionType, compressionRegistry, DataType, RecordBatchReader, TimeUnit } from 'apache-arrow';
import type { Field } from 'apache-arrow';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { identifier } from '../sql.ts';
import type { Value } from '../types.ts';
import { valueAt } from './arrow-values.ts';
import type { Written } from './delimited.ts';
import { lookAtHead } from './look.ts';
import { decodeLz4Frame } from './lz4.ts';
import { uniqueNames } from './names.ts';
import { ingestObjects } from './objects.ts';

compressionRegistry.set(CompressionType.ZSTD, {
  encode: data => zstdCompressSync(data),
  decode: data => zstdDecompressSync(data),
});

compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: decodeLz4Frame });

/** Files of IPC begin and end with this; streams have neither. A file without its end may lack batches too. */
const mark = 'ARROW1';

export async function ingestArrow(source: string, context: JobContext, target: string): Promise<Written> {
  const { head, sizeBytes } = await lookAtHead(source);
  if (head.toString('latin1', 0, mark.length) === mark && !(await endsWith(source, mark)))
    throw new TableError('WRONG_FORMAT', 'The Arrow file is cut off: its footer is missing', {
      place: `byte ${sizeBytes}`,
    });
  const bytes = createReadStream(source, { highWaterMark: 2 ** 20 });
  let batches = 0;
  const damaged = (error: unknown) =>
    new TableError(
      'WRONG_FORMAT',
      `The Arrow data can't be read: ${error instanceof Error ? error.message : String(error)}`,
      {
        place: `after ${batches} record batches`,
      },
    );
  try {
    const reader = await RecordBatchReader.from(bytes);
    await reader.open();
    const fields = reader.schema.fields;
    const { names, notes } = uniqueNames(fields.map(({ name }) => name));
    const types = Object.fromEntries(fields.map((field, index) => [names[index] ?? '', duckType(field, true)]));
    async function* rows(): AsyncGenerator<Record<string, Value>> {
      for await (const batch of reader) {
        const columns = names.map((name, index) => ({ name, data: batch.data.children[index] }));
        for (let row = 0; row < batch.numRows; row++)
          yield Object.fromEntries(columns.map(({ name, data }) => [name, data ? valueAt(data, row) : null]));
        batches++;
      }
    }
    const count = await ingestObjects(rows(), types, context, target);
    return { rows: count, rejected: { count: 0, samples: [] }, notes };
  } catch (error) {
    if (error instanceof TableError || context.signal.aborted || isDuckDB(error)) throw error;
    throw damaged(error);
  } finally {
    bytes.destroy();
  }
}

async function endsWith(path: string, text: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(text.length), 0, text.length, Math.max(0, size - text.length));
    return buffer.toString('latin1') === text;
  } finally {
    await file.close();
  }
}

function isDuckDB(error: unknown): boolean {
  return error instanceof Error && /^(Out of Memory|IO|INTERRUPT) Error/.test(error.message);
}

function duckType(field: Field, top: boolean): string {
  const type: DataType = field.type;
  if (DataType.isNull(type) || DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return 'VARCHAR';
  if (DataType.isBool(type)) return 'BOOLEAN';
  if (DataType.isInt(type))
    return `${type.isSigned ? '' : 'U'}${{ 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' }[type.bitWidth]}`;
  if (DataType.isFloat(type)) return type.precision === 2 ? 'DOUBLE' : 'FLOAT';
  if (DataType.isDecimal(type) && type.precision <= 38) return `DECIMAL(${type.precision},${type.scale})`;
  if (DataType.isDate(type)) return 'DATE';
  if (DataType.isTime(type)) return 'TIME';
  if (DataType.isTimestamp(type)) {
    if (type.timezone) return 'TIMESTAMP WITH TIME ZONE';
    return type.unit === TimeUnit.NANOSECOND ? 'TIMESTAMP_NS' : 'TIMESTAMP';
  }
  if (DataType.isDuration(type)) return 'BIGINT';
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type))
    return top ? 'BLOB' : 'VARCHAR';
  if (DataType.isDictionary(type)) return duckType({ name: field.name, type: type.dictionary } as Field, top);
  const children = (type.children ?? []) as Field[];
  const [item] = children;
  if (item && DataType.isList(type)) return `${duckType(item, false)}[]`;
  if (item && DataType.isFixedSizeList(type)) return `${duckType(item, false)}[${type.listSize}]`;
  if (DataType.isMap(type) && item) return `${duckType(item, false)}[]`;
  if (DataType.isStruct(type))
    return `STRUCT(${children.map(child => `${identifier(child.name)} ${duckType(child, false)}`).join(', ')})`;
  throw new TableError(
    'WRONG_FORMAT',
    `Column ${JSON.stringify(field.name)} has the Arrow type ${String(type)}, which is not read`,
    {
      place: `column ${field.name}`,
    },
  );
}

// Parquet comes in by being read whole and written again: a file that can't be read to its end is never a dataset.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { identifier, literal } from '../sql.ts';
import type { Written } from './delimited.ts';
import { lookAtHead } from './look.ts';
import { uniqueNames } from './names.ts';
import { rowBytesOf, writeParquet } from './parquet.ts';
import { refuseEmpty } from './text-table.ts';

export async function ingestParquet(source: string, context: JobContext, target: string): Promise<Written> {
  const { sizeBytes } = await lookAtHead(source);
  const file = `read_parquet(${literal(source)})`;
  try {
    const described = (await context.query(`DESCRIBE FROM ${file}`)).getRows();
    const { names, notes } = uniqueNames(described.map(row => String(row[0])));
    const selected = described.map((row, index) => {
      const column = identifier(String(row[0]));
      // Parquet has no 128-bit integers; DuckDB would write doubles.
      const value = /^U?HUGEINT$/.test(String(row[1])) ? `CAST(${column} AS DECIMAL(38,0))` : column;
      return `${value} AS ${identifier(names[index] ?? '')}`;
    });
    const rowBytes = await rowBytesOf(context, source);
    const rows = await writeParquet(context, `SELECT ${selected.join(', ')} FROM ${file}`, target, {
      columns: names.length,
      rowBytes,
    });
    refuseEmpty(rows, 0);
    return { rows, rejected: { count: 0, samples: [] }, notes };
  } catch (error) {
    if (
      error instanceof TableError ||
      context.signal.aborted ||
      /^(Out of Memory|IO Error.*space)/.test(String((error as Error).message))
    )
      throw error;
    const reason = (error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : '').replaceAll(
      source,
      'the file',
    );
    throw new TableError('WRONG_FORMAT', `The Parquet file is cut off or damaged: ${reason}`, {
      place: `within its ${sizeBytes} bytes`,
    });
  }
}

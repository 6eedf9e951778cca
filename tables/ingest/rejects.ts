// The lines that DuckDB's CSV reader could not read as rows.
import { createReadStream } from 'node:fs';
import type { JobContext } from '../job.ts';
import { identifier } from '../sql.ts';
import type { Rejected } from '../types.ts';

export const maxSamples = 10;
const maxSampleLength = 200;

export async function readRejects(
  { query }: JobContext,
  prefix: string,
  path: string,
  names: string[],
): Promise<Rejected> {
  const errors = identifier(`${prefix}_errors`);
  const count = Number(
    (await query(`SELECT count(DISTINCT line_byte_position) FROM ${errors}`)).getRows()[0]?.[0] ?? 0,
  );
  if (count === 0) return { count, samples: [] };
  const rows = (
    await query(`SELECT line_byte_position, any_value(column_idx ORDER BY column_idx), any_value(error_message ORDER BY column_idx), any_value(csv_line)
      FROM ${errors} GROUP BY line_byte_position ORDER BY line_byte_position LIMIT ${maxSamples}`)
  ).getRows();
  // DuckDB counts rows, whose cells may have line breaks.
  const lines = await lineNumbers(
    path,
    rows.map(row => Number(row[0])),
  );
  return {
    count,
    samples: rows.map(([, column, reason, text], index) => ({
      line: lines[index] ?? 0,
      column: names[Number(column) - 1] ?? null,
      reason: String(reason).split('\n', 1)[0] ?? '',
      text: shorten(String(text)),
    })),
  };
}

export function shorten(text: string): string {
  const trimmed = text.replace(/^[\r\n]+|[\r\n]+$/g, '');
  return trimmed.length <= maxSampleLength ? trimmed : `${trimmed.slice(0, maxSampleLength)}…`;
}

/** The lines, counted from 1, in which the bytes at ascending positions stand. */
async function lineNumbers(path: string, positions: number[]): Promise<number[]> {
  const lines: number[] = [];
  let line = 1;
  let offset = 0;
  for await (const chunk of createReadStream(path, { end: (positions.at(-1) ?? 0) + 1, highWaterMark: 2 ** 20 })) {
    const bytes = chunk as Buffer;
    for (let from = 0; from <= bytes.length && lines.length < positions.length;) {
      const position = (positions[lines.length] ?? 0) - offset;
      const next = bytes.indexOf(10, from);
      if (position < bytes.length && (next < 0 || position <= next)) lines.push(line);
      else if (next < 0) break;
      else {
        line++;
        from = next + 1;
      }
    }
    offset += bytes.length;
  }
  return lines;
}

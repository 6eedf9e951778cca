// Counts rows and changed cells while the one query runs, so that the report costs no second pass.
//
// `tally(slot, flag, …)` is a function of ours in DuckDB: always true, it counts the rows that it is called for and, for each flag, those
// for which it is true. DuckDB calls it once for some 2,000 rows, which costs about 20 µs and makes its thread wait for JavaScript's; so
// there is one call for as many operations as can be. Its answer is a column, the guard, that later conditions must ask first: since it
// is volatile, the optimiser doesn't move them past it (the counts would then be of other rows).
import { BOOLEAN, DuckDBScalarFunction, INTEGER } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';

export interface Tally {
  /** A SELECT of `columns` and of `guard` from the same rows, which are counted, each flag for itself. Flags are never null. */
  count(from: string, options: { columns: string; flags: readonly string[]; guard: string }): TalliedRows;
  /** What a counter has counted. */
  countOf(counter: number): number;
}

/** With the numbers of the counters. */
export interface TalliedRows {
  sql: string;
  rows: number;
  flags: number[];
}

let functions = 0;

export function createTally(connection: DuckDBConnection): Tally {
  const counts: number[] = [];
  const name = `vectorium_tally_${++functions}`;
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      returnType: BOOLEAN,
      parameterTypes: [INTEGER],
      varArgsType: BOOLEAN,
      volatile: true,
      mainFunction: (_, chunk, output) => {
        const rows = chunk.rowCount;
        const first = Number(chunk.getColumnVector(0).getItem(0));
        if (!hasBytes(output)) throw new Error('A tally answers with something else than booleans');
        counts[first] = (counts[first] ?? 0) + rows;
        for (let flag = 1; flag < chunk.columnCount; flag++) {
          const vector = chunk.getColumnVector(flag);
          if (!hasBytes(vector)) throw new Error('A tally was given something else than booleans');
          const bytes = new Uint8Array(vector.dataView.buffer, vector.dataView.byteOffset, rows);
          let sum = 0;
          for (let row = 0; row < rows; row++) sum += bytes[row] ?? 0;
          counts[first + flag] = (counts[first + flag] ?? 0) + sum;
        }
        new Uint8Array(output.dataView.buffer, output.dataView.byteOffset, rows).fill(1);
        output.flush();
      },
    }),
  );
  return {
    count(from, { columns, flags, guard }) {
      const rows = counts.push(0, ...flags.map(() => 0)) - flags.length - 1;
      const call = [`${rows}::INTEGER`, ...flags].join(', ');
      const sql = `SELECT ${columns}, ${name}(${call}) AS ${guard} FROM (${from})`;
      return { sql, rows, flags: flags.map((_, index) => rows + 1 + index) };
    },
    countOf: counter => counts[counter] ?? 0,
  };
}

/** Vectors of booleans keep a byte a row here. */
export function hasBytes(vector: object): vector is { dataView: DataView } {
  return 'dataView' in vector && vector.dataView instanceof DataView;
}

// Counts rows and changed cells while the one query runs, so that the report costs no second pass.
//
// `tally(slot, flag, …)` is a function of ours in DuckDB: always true, it stands in a WHERE and counts the rows that pass and, for each
// flag, those for which it is true. DuckDB calls it once for some 2,000 rows, which costs about 20 µs. Two barriers keep the optimiser
// from moving filters or joins past it (the counts would then be of other rows): a sample of 100 % of the chunks, which keeps
// all rows and their order, and which no filter is pushed through.
import { BOOLEAN, DuckDBScalarFunction, INTEGER } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';

export interface Tally {
  /** A SELECT with the same rows, which are counted under a new slot. `flags` are never null. */
  count(from: string, flags: readonly string[], columns?: string): { sql: string; slot: number };
  /** What was counted: the rows, then each flag. */
  counts(slot: number): number[];
}

const barrier = 'TABLESAMPLE SYSTEM(100 PERCENT)';
let functions = 0;

export function createTally(connection: DuckDBConnection): Tally {
  const slots: number[][] = [];
  const name = `vectorium_tally_${++functions}`;
  const tally = DuckDBScalarFunction.create({
    name,
    returnType: BOOLEAN,
    parameterTypes: [INTEGER],
    varArgsType: BOOLEAN,
    volatile: true,
    mainFunction: (_, chunk, output) => {
      const rows = chunk.rowCount;
      const counts = slots[Number(chunk.getColumnVector(0).getItem(0))];
      if (!counts || !hasBytes(output)) throw new Error('A tally was called that nobody made');
      counts[0] = (counts[0] ?? 0) + rows;
      for (let flag = 1; flag < chunk.columnCount; flag++) {
        const vector = chunk.getColumnVector(flag);
        if (!hasBytes(vector)) throw new Error('A tally was given something else than booleans');
        const bytes = new Uint8Array(vector.dataView.buffer, vector.dataView.byteOffset, rows);
        let sum = 0;
        for (let row = 0; row < rows; row++) sum += bytes[row] ?? 0;
        counts[flag] = (counts[flag] ?? 0) + sum;
      }
      new Uint8Array(output.dataView.buffer, output.dataView.byteOffset, rows).fill(1);
      output.flush();
    },
  });
  connection.registerScalarFunction(tally);
  return {
    count(from, flags, columns = '*') {
      const slot = slots.push(Array.from({ length: flags.length + 1 }, () => 0)) - 1;
      const call = [`${slot}::INTEGER`, ...flags].join(', ');
      return {
        slot,
        sql: `SELECT * FROM (SELECT ${columns} FROM (${from}) ${barrier} WHERE ${name}(${call})) ${barrier}`,
      };
    },
    counts: slot => slots[slot] ?? [],
  };
}

/** Vectors of booleans keep a byte a row here. */
function hasBytes(vector: object): vector is { dataView: DataView } {
  return 'dataView' in vector && vector.dataView instanceof DataView;
}

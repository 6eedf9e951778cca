// Counts rows and changed cells while the one query runs, so that the report costs no second pass.
//
// A temporary sequence counts: `nextval` stands in a WHERE, is always true, and goes on by one for each row that passes or, within a
// CASE, for each whose flag is true. That costs about 25 ns where something is counted and next to nothing where not, and unlike a
// function of JavaScript it keeps no thread waiting for another. Two barriers keep the optimiser from moving filters or joins past it
// (the counts would then be of other rows): a sample of 100 % of the chunks, which keeps all rows and their order, and which no filter
// is pushed through.
import type { DuckDBConnection } from '@duckdb/node-api';
import { list, literal } from './sql.ts';

export interface Tally {
  /** A SELECT of `columns` from the same rows, which are counted, each flag for itself. */
  count(from: string, columns: string, counted: { rows: boolean; flags: readonly string[] }): TalliedRows;
  /** To be called before the query: makes what it counts with. */
  begin(): Promise<void>;
  /** To be called after the query: the count of each counter. */
  end(): Promise<Map<string, number>>;
}

/** With the names of the counters. */
export interface TalliedRows {
  sql: string;
  /** Counts only when that was asked for. */
  rows: string;
  flags: string[];
}

const barrier = 'TABLESAMPLE SYSTEM(100 PERCENT)';
let counters = 0;
const counter = (): string => `vectorium_tally_${++counters}`;

export function createTally(connection: DuckDBConnection): Tally {
  /** Names of the sequences. */
  const used: string[] = [];
  const step = (name: string): string => {
    used.push(name);
    return `nextval(${literal(name)}) > 0`;
  };
  return {
    count(from, columns, counted) {
      const [rows, flags] = [counter(), counted.flags.map(counter)];
      const conditions = [
        ...(counted.rows ? [step(rows)] : []),
        ...flags.map((name, index) => `CASE WHEN ${counted.flags[index]} THEN ${step(name)} ELSE true END`),
      ];
      const sql = `SELECT * FROM (SELECT ${columns} FROM (${from}) ${barrier} WHERE ${conditions.join(' AND ')}) ${barrier}`;
      return { sql, rows, flags };
    },
    async begin() {
      if (used.length > 0) await connection.run(used.map(name => `CREATE TEMP SEQUENCE ${name};`).join('\n'));
    },
    async end() {
      if (used.length === 0) return new Map();
      const answer = await connection.runAndReadAll(
        `SELECT sequence_name, coalesce(last_value, 0)::DOUBLE FROM duckdb_sequences() WHERE sequence_name IN (${list(used.map(literal))})`,
      );
      await connection.run(used.map(name => `DROP SEQUENCE ${name};`).join('\n'));
      return new Map(answer.getRows().map(([name, count]) => [name, Number(count)]));
    },
  };
}

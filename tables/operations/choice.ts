// Finds which rows a plan keeps by a query of its own, over the few columns that the choice needs. A bit for each row then stands in for
// the plan, so that whole rows are neither held nor sorted to choose among them, and stay in their order.
import { BOOLEAN, DuckDBScalarFunction, INTEGER } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { hasBytes } from './tally.ts';

/** 128 MiB of bits. */
export const mostChoosableRows = 2 ** 30;

let choices = 0;

/** A condition on the number of a row that is true for those that `select` gives, each of them once; and how many they are. */
export async function chooseRows(
  connection: DuckDBConnection,
  { select, rows }: { select: string; rows: number },
): Promise<{ condition: (row: string) => string; count: number }> {
  const bits = new Uint8Array(Math.ceil(rows / 8));
  const name = `vectorium_choice_${++choices}`;
  let count = 0;
  register(connection, `${name}_take`, (numbers, answers) => {
    for (const number of numbers) bits[number >> 3] = (bits[number >> 3] ?? 0) | (1 << (number & 7));
    count += numbers.length;
    answers.fill(1);
  });
  await connection.run(
    `SELECT count(*) FROM (SELECT COLUMNS(*)::INTEGER AS number FROM (${select})) WHERE ${name}_take(number)`,
  );
  register(connection, name, (numbers, answers) => {
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index] ?? 0;
      answers[index] = ((bits[number >> 3] ?? 0) >> (number & 7)) & 1;
    }
  });
  return { condition: row => `${name}(${row}::INTEGER)`, count };
}

/** A function of ours in DuckDB, called with some 2,000 numbers at once, which are never null. */
function register(
  connection: DuckDBConnection,
  name: string,
  answer: (numbers: Int32Array, answers: Uint8Array) => void,
): void {
  const created = DuckDBScalarFunction.create({
    name,
    returnType: BOOLEAN,
    parameterTypes: [INTEGER],
    // It stays where it stands: rows that a filter before it takes must not be asked about.
    volatile: true,
    mainFunction: (_, chunk, output) => {
      const input = chunk.getColumnVector(0);
      if (!hasIntegers(input) || !hasBytes(output)) throw new Error('A choice was given something else than integers');
      answer(input.items, new Uint8Array(output.dataView.buffer, output.dataView.byteOffset, chunk.rowCount));
      output.flush();
    },
  });
  connection.registerScalarFunction(created);
}

function hasIntegers(vector: object): vector is { items: Int32Array } {
  return 'items' in vector && vector.items instanceof Int32Array;
}

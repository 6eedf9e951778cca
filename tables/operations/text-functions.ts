// Functions from text to text, written in JavaScript, that a query may call: what SQL has no words for.
import { DuckDBScalarFunction, VARCHAR } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';

type TextFunction = (text: string) => string | null;

const registered = new WeakMap<DuckDBConnection, Map<TextFunction, string>>();
let functions = 0;

/** The name under which SQL on this connection can call `run`. Nulls stay null and don't reach it. */
export function registerTextFunction(connection: DuckDBConnection, run: TextFunction): string {
  const known = registered.get(connection) ?? new Map<TextFunction, string>();
  registered.set(connection, known);
  const existing = known.get(run);
  if (existing !== undefined) return existing;
  const name = `vectorium_text_${++functions}`;
  const definition = DuckDBScalarFunction.create({
    name,
    returnType: VARCHAR,
    parameterTypes: [VARCHAR],
    mainFunction: (_, chunk, output) => {
      const texts = chunk.getColumnVector(0);
      for (let row = 0; row < chunk.rowCount; row++) {
        const text = texts.getItem(row);
        output.setItem(row, typeof text === 'string' ? run(text) : null);
      }
      output.flush();
    },
  });
  connection.registerScalarFunction(definition);
  known.set(run, name);
  return name;
}

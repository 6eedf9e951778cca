// The operations that add what a model or a language knows: vectors, predictions, likeness, language, pieces of text.
import { languageOf, loadLanguages } from './language.ts';
import { lookup } from './combine.ts';
import { numbers, texts } from './cells.ts';
import { change, columnOf, columnsOf, mustBe, newName, noDuplicates, whereOf } from './steps.ts';
import type { Kind } from './steps.ts';
import type { Services } from '../types.ts';
import type { AllRows, Definition, Step } from './plan.ts';
import { identifier, list, literal, isTime, isVector } from './sql.ts';
import type { TypedColumn } from './sql.ts';

const textOf = (step: Step, name: string): TypedColumn => {
  const column = columnOf(step, name, 'column');
  mustBe(step, column, texts, 'column');
  return column;
};

const vectors = { test: isVector, called: 'vectors (FLOAT[])' };
const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value.trim() !== '' ? value : null);

const onlyWhere = (sql: string, where: string | undefined): string =>
  where === undefined ? sql : `CASE WHEN ${where} THEN ${sql} END`;

const embedText: Definition = {
  family: 'enrich',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const into = params.name('into', `${name}_vector`);
    const options = {
      model: params.optionalText('model'),
      chunk_size: params.optionalNumber('chunk_size', { least: 1, whole: true }),
      chunk_overlap: params.optionalNumber('chunk_overlap', { least: 0, most: 0.8 }),
    };
    const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const where = params.optionalText('where');
    return async step => {
      const column = textOf(step, name);
      newName(step, into, 'into');
      const asText = onlyWhere(identifier(column.name), await whereOf(step, where));
      return {
        kind: 'batches',
        inputs: [{ name: 'text', sql: asText }],
        batchRows: 1024,
        begin: (all, services) => affordable(all, { text: asText, asked, services }),
        run: async (rows, call, services) => {
          const batch = rows.map(row => textOrNull(row['text']));
          const found = batch.every(text => text === null)
            ? batch.map(() => null)
            : await services.embed(batch, asked, call);
          if (found.length !== rows.length)
            throw new Error(`embed gave ${found.length} vectors for ${rows.length} texts`);
          return found.map(vector => [[vector]]);
        },
        outputs: [{ name: 'vector', type: 'VECTOR' }],
        explode: false,
        columns: () => Promise.resolve([{ name: into, sql: 'a.vector' }]),
      };
    };
  },
};

/**
 * Refuses what can't be paid for before any of it is. No token has less than a byte of text, or is the one before a text: only where so
 * many would be too dear are they counted.
 */
async function affordable(
  { rows, ask, batches }: AllRows,
  { text, asked, services }: { text: string; asked: Record<string, unknown>; services: Services },
): Promise<void> {
  const { bytes } = await ask(`coalesce(sum(strlen(${text})), 0)::DOUBLE AS bytes`);
  if (await services.affords(Number(bytes) + rows, asked, false)) return;
  let tokens = 0;
  for await (const batch of batches())
    tokens += await services.count(
      batch.map(row => textOrNull(row['text'])),
      asked,
    );
  await services.affords(tokens, asked, true);
}

const chunkText: Definition = {
  family: 'enrich',
  read: params => {
    const name = params.name('column');
    const into = params.name('into', `${name}_chunk`);
    const as = params.choice('as', ['rows', 'list'], 'rows');
    const where = params.optionalText('where');
    if (where !== undefined && as === 'rows')
      throw params.wrong('where', 'needs "as": "list": rows without chunks would go');
    const options = {
      model: params.optionalText('model'),
      chunk_size: params.optionalNumber('chunk_size', { least: 1, whole: true }),
      chunk_overlap: params.optionalNumber('chunk_overlap', { least: 0, most: 0.8 }),
      chunking_method: params.optionalText('chunking_method'),
    };
    const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    return async step => {
      const column = textOf(step, name);
      newName(step, into, 'into');
      const indexInto = `${into}_index`;
      if (as === 'rows') newName(step, indexInto, 'into');
      return {
        kind: 'batches',
        inputs: [{ name: 'text', sql: onlyWhere(identifier(column.name), await whereOf(step, where)) }],
        batchRows: 1024,
        run: async (rows, _, services) => {
          const batch = rows.map(row => textOrNull(row['text']));
          const found = await services.chunk(batch, asked);
          if (found.length !== rows.length)
            throw new Error(`chunk gave ${found.length} answers for ${rows.length} texts`);
          return found.map((chunks, row) => {
            if (batch[row] === null) return [];
            return as === 'rows'
              ? chunks.map((chunk, index) => [chunk, index])
              : [[JSON.stringify(chunks), chunks.length]];
          });
        },
        outputs: [
          { name: 'chunk', type: 'VARCHAR' },
          { name: 'number', type: 'INTEGER' },
        ],
        explode: as === 'rows',
        columns: () =>
          Promise.resolve(
            as === 'rows'
              ? [
                  { name: into, sql: 'a.chunk' },
                  { name: indexInto, sql: 'a.number' },
                ]
              : [{ name: into, sql: `from_json(a.chunk, '["VARCHAR"]')` }],
          ),
      };
    };
  },
};

/** What the columns of a model may be, by what the server says of them. */
const inputKinds: Record<string, Kind> = {
  number: numbers,
  date: { test: isTime, called: 'dates' },
  boolean: { test: type => type === 'BOOLEAN', called: 'true or false' },
  text: texts,
};

const predict: Definition = {
  family: 'enrich',
  rowByRow: true,
  read: params => {
    const model = params.text('model_id');
    const inputs = params.optionalTexts('inputs');
    const kindOf = new Map(params.optionalMapping('input_kinds'));
    const into = params.name('into', 'prediction');
    const probabilities = params.flag('probabilities', false);
    return step => {
      const columns = columnsOf(step, inputs, undefined, 'inputs');
      for (const column of columns) {
        const kind = inputKinds[String(kindOf.get(column.name))];
        if (kind) mustBe(step, column, kind, 'inputs');
      }
      newName(step, into, 'into');
      const probabilitiesInto = `${into}_probabilities`;
      if (probabilities) newName(step, probabilitiesInto, 'into');
      return {
        kind: 'batches',
        inputs: columns.map(({ name }) => ({ name, sql: identifier(name) })),
        batchRows: 2048,
        run: async (rows, call, services) => {
          const found = await services.predict(rows, { model_id: model, probabilities }, call);
          if (found.length !== rows.length)
            throw new Error(`predict gave ${found.length} answers for ${rows.length} rows`);
          return found.map(answer => [
            [JSON.stringify(answer['prediction'] ?? null), JSON.stringify(answer['probabilities'] ?? null)],
          ]);
        },
        outputs: [
          { name: 'prediction', type: 'VARCHAR' },
          { name: 'probabilities', type: 'VARCHAR' },
        ],
        explode: false,
        columns: async (ask, parts) => {
          const kinds = await ask(
            `SELECT DISTINCT json_type(prediction) AS t FROM ${parts} WHERE prediction <> 'null'`,
          );
          const types = kinds.map(row => String(row['t']));
          const all = (...those: string[]): boolean => types.length > 0 && types.every(type => those.includes(type));
          const type = all('BIGINT', 'UBIGINT')
            ? 'BIGINT'
            : all('BIGINT', 'UBIGINT', 'DOUBLE')
              ? 'DOUBLE'
              : all('BOOLEAN')
                ? 'BOOLEAN'
                : 'VARCHAR';
          const result = [{ name: into, sql: `CAST(json_extract_string(a.prediction, '$') AS ${type})` }];
          if (probabilities) result.push({ name: probabilitiesInto, sql: 'a.probabilities' });
          return result;
        },
      };
    };
  },
};

/**
 * A list that is null leaves a null number behind when DuckDB reads it from Parquet, over which its distances stumble also in other rows:
 * a slice has the numbers of lists that are there.
 */
const vectorIn = ({ name }: TypedColumn): string => `array_slice(CAST(${identifier(name)} AS FLOAT[]), 1, -1)`;

const similarity: Definition = {
  family: 'enrich',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const query = params.optionalText('query');
    const other = params.optionalText('other');
    const model = params.optionalText('model');
    const into = params.name('into', 'similarity');
    const where = params.optionalText('where');
    if ((query === undefined) === (other === undefined))
      throw params.wrong('query', 'or other: one of the two must be given');
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, vectors, 'column');
      newName(step, into, 'into');
      const first = vectorIn(column);
      let second = first;
      if (other !== undefined) {
        const compared = columnOf(step, other, 'other');
        mustBe(step, compared, vectors, 'other');
        second = vectorIn(compared);
      } else if (step.services !== null) {
        const asked = { ...(model === undefined ? {} : { model }), input_type: 'query' };
        const [vector] = await step.services.embed([query ?? ''], asked, { operation: step.index, part: 0 });
        if (!vector) throw params.wrong('query', 'must not be blank');
        second = `[${list([...vector].map(value => literal(value)))}]::FLOAT[]`;
      }
      const add = [{ name: into, sql: `list_cosine_similarity(${first}, ${second})` }];
      return change(step, { add, where: await whereOf(step, where) });
    };
  },
};

const textStats: Definition = {
  family: 'enrich',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const into = params.name('into', name);
    const where = params.optionalText('where');
    return async step => {
      const column = textOf(step, name);
      const x = identifier(column.name);
      const count = (pattern: string): string => `CAST(len(regexp_extract_all(${x}, ${literal(pattern)})) AS INTEGER)`;
      const add = [
        { name: `${into}_characters`, sql: `CAST(length(${x}) AS INTEGER)` },
        { name: `${into}_words`, sql: count("[\\p{L}\\p{N}][\\p{L}\\p{N}\\p{M}'’-]*") },
        { name: `${into}_sentences`, sql: count('[^.!?…。！？]*[\\p{L}\\p{N}][^.!?…。！？]*') },
        { name: `${into}_lines`, sql: `CAST(length(${x}) - length(replace(${x}, chr(10), '')) + 1 AS INTEGER)` },
      ];
      for (const one of add) newName(step, one.name, 'into');
      noDuplicates(
        step,
        add.map(one => one.name),
        'into',
      );
      return change(step, { add, where: await whereOf(step, where) });
    };
  },
};

const detectLanguage: Definition = {
  family: 'enrich',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const into = params.name('into', `${name}_language`);
    const where = params.optionalText('where');
    return async step => {
      const column = textOf(step, name);
      newName(step, into, 'into');
      await loadLanguages();
      const sql = `${step.textFunction(languageOf)}(${identifier(column.name)})`;
      return change(step, { add: [{ name: into, sql }], where: await whereOf(step, where) });
    };
  },
};

export const enrichOperations: Record<string, Definition> = {
  embed_text: embedText,
  predict,
  similarity,
  lookup,
  text_stats: textStats,
  detect_language: detectLanguage,
  chunk_text: chunkText,
};

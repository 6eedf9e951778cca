// Which columns of a table can be features, as what, and how SQL gives their raw values.
import { identifier } from '@vectorium/tables';
import type { Reader } from '@vectorium/tables';
import { TrainingError } from './errors.ts';
import type { Encoder, FeatureKind, TrainConfig } from './types.ts';

export interface Candidate {
  name: string;
  sqlType: string;
  kind: FeatureKind;
  /** Of a VARCHAR: about how many different values it has. */
  distinct: number;
}

/** A column that is no feature, and why: stands in the card. */
export interface LeftOut {
  name: string;
  reason: string;
}

const isNumber = (type: string) => /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type);
const isDate = (type: string) => /^(DATE|TIMESTAMP.*)$/.test(type);
const isText = (type: string) => /^(VARCHAR|ENUM\(.*\))$/.test(type);

/** From so many different values on, a column of sentences is a text and one of names is an identifier. */
const mostCategories = 50;
/** Values that are on average shorter than this are no sentences. */
const leastTextCharacters = 20;
/** Planning a statement of thousands of aggregates takes longer than another scan. */
const columnsAtOnce = 64;

export function kindOfType(type: string): Exclude<FeatureKind, 'text'> | null {
  if (isNumber(type)) return 'number';
  if (type === 'BOOLEAN') return 'boolean';
  if (isDate(type)) return 'date';
  return isText(type) ? 'category' : null;
}

/**
 * The features: the chosen columns, or all that are of use. A VARCHAR is a text when it has many different values and these look like
 * sentences (20 characters or more, with blanks or in a script without them), and a category otherwise; where nearly every row has a
 * value of its own, it identifies rows and tells nothing of others.
 */
export async function chooseFeatures(
  reader: Reader,
  { config, target, encoder }: { config: TrainConfig; target: string; encoder: Encoder | null },
): Promise<{ features: Candidate[]; leftOut: LeftOut[] }> {
  const chosen = config.features && checkChosen(config.features, reader.columns, target);
  const names = chosen ?? reader.columns.map(({ name }) => name).filter(name => name !== target);
  const columns = reader.columns.filter(({ name }) => names.includes(name));
  const looks = await lookAtTexts(
    reader,
    columns.filter(({ type }) => isText(type)).map(({ name }) => name),
  );
  const features: Candidate[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of names) {
    const type = columns.find(column => column.name === name)?.type ?? '';
    const kind = kindOfType(type);
    const look = looks.get(name);
    if (kind === null) {
      const reason = `${type} is no type of a feature`;
      if (chosen) throw new TrainingError('WRONG_TYPE', `${quoted(name)}: ${reason}`, 'config.features');
      leftOut.push({ name, reason });
    } else if (look && (isSentences(look) || (chosen && isPhrases(look)))) {
      if (!encoder)
        throw new TrainingError(
          'WRONG_TYPE',
          `${quoted(name)} is a text of ${look.distinct} different values, and there is no model for vectors here: leave it out of features`,
          'config.features',
        );
      features.push({ name, sqlType: type, kind: 'text', distinct: look.distinct });
    } else if (look && !chosen && isIdentifier(look)) {
      leftOut.push({ name, reason: 'nearly every row has a value of its own' });
    } else features.push({ name, sqlType: type, kind, distinct: look?.distinct ?? 0 });
  }
  if (features.length === 0)
    throw new TrainingError(
      'NOT_TRAINABLE',
      'No column can be a feature: there is nothing to learn from',
      'config.features',
    );
  return { features, leftOut };
}

/** SQL of a raw value as `model.onnx` takes it (see `Card`): DOUBLE with NaN, or VARCHAR with '', where it is missing. */
export function rawSql({ name, kind, sqlType }: Candidate): string {
  const column = identifier(name);
  switch (kind) {
    case 'number': {
      const number = `CAST(${column} AS DOUBLE)`;
      return `coalesce(CASE WHEN isfinite(${number}) THEN ${number} END, 'NaN'::DOUBLE)`;
    }
    case 'boolean':
      return `CASE WHEN ${column} IS NULL THEN 'NaN'::DOUBLE WHEN ${column} THEN 1::DOUBLE ELSE 0::DOUBLE END`;
    case 'date': {
      const finite = `CASE WHEN isfinite(${column}) THEN ${column} END`;
      return `coalesce(${sqlType === 'DATE' ? `CAST(${finite} AS VARCHAR)` : `replace(CAST(${finite} AS VARCHAR), ' ', 'T')`}, '')`;
    }
    case 'category':
      return `coalesce(CAST(${column} AS VARCHAR), '')`;
    case 'text':
      return `coalesce(trim(CAST(${column} AS VARCHAR)), '')`;
  }
}

interface Look {
  values: number;
  distinct: number;
  characters: number;
  blanks: number;
  bytes: number;
}

const isSentences = ({ distinct, characters, blanks, bytes }: Look) =>
  distinct > mostCategories && characters >= leastTextCharacters && (blanks >= 2 || bytes > 1.5 * characters);
/** Titles and the like: as categories they would all be unseen values, so that who names such a column means its words. */
const isPhrases = (look: Look) => isIdentifier(look) && look.blanks >= 1;
const isIdentifier = ({ distinct, values }: Look) => distinct > mostCategories && distinct > 0.7 * values;

async function lookAtTexts({ query, table }: Reader, names: string[]): Promise<Map<string, Look>> {
  const looks = new Map<string, Look>();
  for (let start = 0; start < names.length; start += columnsAtOnce) {
    const group = names.slice(start, start + columnsAtOnce);
    const sql = group.flatMap((name, i) => {
      const text = `CAST(${identifier(name)} AS VARCHAR)`;
      return [
        `count(${text})::DOUBLE AS values_${i}`,
        `approx_count_distinct(${text})::DOUBLE AS distinct_${i}`,
        `coalesce(avg(length(${text})), 0) AS characters_${i}`,
        `coalesce(avg(length(${text}) - length(replace(${text}, ' ', ''))), 0) AS blanks_${i}`,
        `coalesce(avg(strlen(${text})), 0) AS bytes_${i}`,
      ];
    });
    const [row = {}] = await query(`SELECT ${sql.join(', ')} FROM ${table}`);
    const number = (name: string, i: number) => Number(row[`${name}_${i}`]);
    for (const [i, name] of group.entries())
      looks.set(name, {
        values: number('values', i),
        distinct: number('distinct', i),
        characters: number('characters', i),
        blanks: number('blanks', i),
        bytes: number('bytes', i),
      });
  }
  return looks;
}

function checkChosen(features: string[], columns: Reader['columns'], target: string): string[] {
  if (features.length === 0) throw wrong('features names no column');
  for (const [i, name] of features.entries()) {
    if (!columns.some(column => column.name === name))
      throw new TrainingError('UNKNOWN_COLUMN', `There is no column ${quoted(name)}`, `config.features[${i}]`);
    if (name === target) throw wrong(`${quoted(name)} is the target and can't be a feature`);
    if (features.indexOf(name) < i) throw wrong(`${quoted(name)} is named twice`);
  }
  return features;
}

const wrong = (message: string): TrainingError => new TrainingError('INVALID_CONFIG', message, 'config.features');

export const quoted = (name: string): string => JSON.stringify(name);

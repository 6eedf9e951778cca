// The column that is learnt: which it is, whether it can be learnt, and its classes.
import { identifier } from '@vectorium/tables';
import type { Reader } from '@vectorium/tables';
import { kindOfType, quoted } from './columns.ts';
import { TrainingError } from './errors.ts';
import type { ModelKind, TrainConfig } from './types.ts';

export interface TargetColumn {
  name: string;
  sqlType: string;
  /** Rows that have one, and those that don't: they are left out. */
  rows: number;
  without: number;
  /** In their order: numbers by size, texts by bytes. Null of a regression. */
  classes: { label: string | number | boolean; text: string; count: number }[] | null;
}

const usualNames = ['target', 'label', 'class', 'y'];
const mostClasses = 1000;
const leastRows = 10;

/** Throws TrainingError when it can't be trained to. */
export async function chooseTarget(reader: Reader, kind: ModelKind, config: TrainConfig): Promise<TargetColumn> {
  const { name, type: sqlType } = findColumn(reader.columns, config.target);
  const of = kindOfType(sqlType);
  if (of === null || (kind === 'regression' && of !== 'number'))
    throw new TrainingError(
      'WRONG_TYPE',
      kind === 'regression'
        ? `${quoted(name)} is ${sqlType}, and a regression learns numbers: train a classification, or choose another target`
        : `${quoted(name)} is ${sqlType}, which has no classes`,
      'config.target',
    );
  const value = targetSql({ name, sqlType }, kind);
  const [counts = {}] = await reader.query(
    `SELECT count(*)::DOUBLE AS total, count(${value})::DOUBLE AS rows, ${kind === 'regression' ? `min(${value})` : 'NULL'} AS low,
      ${kind === 'regression' ? `max(${value})` : 'NULL'} AS high FROM ${reader.table}`,
  );
  const [total, rows] = [Number(counts['total']), Number(counts['rows'])];
  if (total === 0) throw new TrainingError('NOT_TRAINABLE', 'The dataset has no rows', 'dataset_id');
  if (rows < leastRows)
    throw refuse(`Only ${rows} of ${total} rows have a value of ${quoted(name)}; training takes ${leastRows} at least`);
  if (kind === 'regression') {
    if (counts['low'] === counts['high'])
      throw refuse(`Every row has the same ${quoted(name)}: there is nothing to learn`);
    return { name, sqlType, rows, without: total - rows, classes: null };
  }
  const found = await reader.query(
    `SELECT CAST(v AS VARCHAR) AS text, any_value(v) AS label, count(*)::DOUBLE AS count FROM
      (SELECT ${identifier(name)} AS v FROM ${reader.table} WHERE ${value} IS NOT NULL) GROUP BY v ORDER BY v LIMIT ${mostClasses + 1}`,
  );
  if (found.length < 2) throw refuse(`Every row has the same ${quoted(name)}: there is nothing to tell apart`);
  const hint = of === 'number' ? '; train a regression' : '';
  if (found.length > mostClasses)
    throw refuse(`${quoted(name)} has more than ${mostClasses} different values, too many for classes${hint}`);
  if (found.length > rows / 2)
    throw refuse(`${quoted(name)} has ${found.length} different values in ${rows} rows, too few rows a class${hint}`);
  const classes = found.map(({ text, label, count }) => ({
    label: typeof label === 'number' || typeof label === 'boolean' ? label : String(text),
    text: String(text),
    count: Number(count),
  }));
  return { name, sqlType, rows, without: total - rows, classes };
}

/** SQL of the target's value: a finite DOUBLE, or the class as VARCHAR; NULL where the row can't be learnt from. */
export function targetSql({ name, sqlType }: Pick<TargetColumn, 'name' | 'sqlType'>, kind: ModelKind): string {
  const column = identifier(name);
  const value = `CAST(${column} AS ${kind === 'classification' ? 'VARCHAR' : 'DOUBLE'})`;
  return /^(FLOAT|DOUBLE)$/.test(sqlType) ? `CASE WHEN isfinite(${column}) THEN ${value} END` : value;
}

const refuse = (message: string): TrainingError => new TrainingError('NOT_TRAINABLE', message, 'config.target');

function findColumn(columns: Reader['columns'], wanted: string | undefined): Reader['columns'][number] {
  const last = columns.at(-1);
  if (!last || columns.length < 2)
    throw new TrainingError('NOT_TRAINABLE', 'The dataset has no column to learn from beside its target', 'dataset_id');
  if (wanted === undefined) {
    for (const usual of usualNames) {
      const found = columns.find(({ name }) => name.toLowerCase() === usual);
      if (found) return found;
    }
    return last;
  }
  const found = columns.find(({ name }) => name === wanted);
  if (!found) throw new TrainingError('UNKNOWN_COLUMN', `There is no column ${quoted(wanted)}`, 'config.target');
  return found;
}

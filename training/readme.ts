// The model card for people: what `card.json` says, readable.
import type { Card } from './types.ts';

export function readmeOf(card: Omit<Card, 'files'>): string {
  const { kind, target, features, rows, config, importance } = card;
  const what = kind === 'classification' ? `tells ${target.labels?.length ?? 0} classes of` : 'predicts';
  const lines = [
    `# ${code(target.name)}`,
    '',
    `A model that ${what} ${code(target.name)} from ${features.length} ${features.length === 1 ? 'column' : 'columns'}. Trained by Vectorium on ${card.created_at.slice(0, 10)}.`,
    '',
    '## Data',
    '',
    table([
      ...Object.entries(card.dataset)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name.replaceAll('_', ' '), code(String(value))]),
      [
        'parts',
        `${rows.training} to train on, ${rows.validation} to choose the epoch${rows.test > 0 ? `, ${rows.test} to measure` : ''}${rows.without_target > 0 ? `; ${rows.without_target} had no target` : ''}`,
      ],
    ]),
    '',
    '## What it is worth',
    '',
    ...measured(card),
    '',
    '## What it draws from',
    '',
    importance.length === 0
      ? 'Not measured: no rows were held out.'
      : `How much the ${kind === 'classification' ? 'log-loss' : 'root of the mean squared error'} rises when a column is shuffled:`,
    '',
    ...(importance.length === 0
      ? []
      : [
          table(
            importance
              .slice(0, 20)
              .map(({ feature, importance: rise, deviation }) => [
                code(feature),
                `${figure(rise)} ± ${figure(deviation)}`,
              ]),
            ['column', 'rise'],
          ),
          '',
        ]),
    '## How it was trained',
    '',
    table([
      ['algorithm', `${card.algorithm}, ${card.parameters} parameters`],
      [
        'epochs',
        `${card.curves.length}, of which ${card.best_epoch} was kept (ended by ${card.stopped.replaceAll('_', ' ')})`,
      ],
      ['batch size', String(config.batchSize)],
      ['learning rate', String(config.learningRate)],
      ['seed', String(config.seed)],
      ['seconds', figure(card.seconds)],
    ]),
    '',
    '## Using `model.onnx`',
    '',
    'It takes raw columns, one input a feature, each `[rows, 1]`; what is missing is NaN, or the empty text.',
    '',
    table(
      features.map(({ name, kind: feature, sql_type: type }) => [code(name), inputs[feature](card), type]),
      ['input', 'takes', 'column'],
    ),
    '',
    ...(card.encoder
      ? [
          `Texts enter as vectors of ${code(card.encoder.name)} (revision ${code(card.encoder.revision)}), zeros where missing.`,
          '',
        ]
      : []),
    kind === 'classification'
      ? `It gives \`prediction\`, the number of the class among ${labelsOf(card)}, and \`probabilities\` \`[rows, ${target.labels?.length ?? 0}]\`.`
      : 'It gives `prediction`, the number itself.',
    '',
  ];
  return lines.join('\n');
}

const inputs: Record<Card['features'][number]['kind'], (card: Pick<Card, 'encoder'>) => string> = {
  number: () => 'f64',
  boolean: () => 'f64, 1 or 0',
  category: () => 'text',
  date: () => 'text, a date of ISO 8601',
  text: ({ encoder }) => `f32 \`[rows, ${encoder?.dimension ?? 0}]\``,
};

function measured({ metrics, metrics_on: on }: Omit<Card, 'files'>): string[] {
  if (!metrics) return ['Not measured: no rows were held out.'];
  const plain = Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return [
    on === 'test'
      ? 'On rows that took no part in the training:'
      : 'On the rows that chose the epoch (there were too few to keep others apart), so somewhat flattering:',
    '',
    table(plain.map(([name, value]) => [name.replaceAll('_', ' '), figure(value)])),
  ];
}

function labelsOf({ target }: Pick<Card, 'target'>): string {
  const labels = target.labels ?? [];
  const shown = labels.slice(0, 20).map(label => code(JSON.stringify(label)));
  return `${shown.join(', ')}${labels.length > shown.length ? `, … (${labels.length} in \`card.json\`)` : ''}`;
}

function table(rows: string[][], head?: string[]): string {
  const titles = head ?? Array<string>(rows[0]?.length ?? 2).fill('');
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;

/** Names come from people: nothing in them may end the table or the code. */
const code = (text: string): string => `\`${text.replaceAll(/[`|\r\n]/g, ' ')}\``;

const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(4));

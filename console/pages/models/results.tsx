// What a finished model is worth: its metrics, where it errs, whether its chances are true, and what it looks at.
import type { Answer } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { Card, Figure, Figures } from '../../ui/card.tsx';
import { metricOf, writeMetric } from './metrics.ts';
import { Residuals, SquarePlot } from './plots.tsx';
import { PrecisionRecallCard, RocCard } from './rate-plots.tsx';
import type { ClassRates } from './rates.ts';
import { type SampleAnswer, SampleAnswers } from './sample-answers.tsx';
import { useModelText } from './text.ts';

type Model = Answer<'getTrainedModel'>;

interface Confusion {
  labels: (string | number | boolean)[];
  counts: number[][];
}
interface Bin {
  count: number;
  confidence: number;
  accuracy: number;
}

/** Tables of more classes are for nobody to read at once. */
const mostClasses = 30;

export function Results({ model }: { model: Model }) {
  const metrics = model.metrics ?? {};
  const confusion = metrics['confusion_matrix'] as Confusion | null | undefined;
  const calibration = metrics['calibration'] as Bin[] | undefined;
  const pairs = metrics['pairs'] as [number, number][] | undefined;
  const residuals = metrics['residuals'] as { from: number; to: number; count: number }[] | undefined;
  const answers = model.language?.['answers'] as SampleAnswer[] | undefined;
  const rates = (metrics['roc'] as ClassRates[] | undefined)?.filter(({ points }) => points.length > 1) ?? [];
  const counts = new Map(
    confusion?.labels.map((label, index) => [
      String(label),
      confusion.counts[index]?.reduce((sum, count) => sum + count, 0) ?? 0,
    ]),
  );
  return (
    <div className="flex flex-col gap-6">
      <Key model={model} />
      {answers && <SampleAnswers answers={answers} />}
      <div className="gap-6 *:mb-6 *:break-inside-avoid lg:columns-2">
        {confusion && confusion.labels.length <= mostClasses && <ConfusionCard confusion={confusion} />}
        {pairs && <PairsCard pairs={pairs} />}
        {(model.importance?.length ?? 0) > 0 && <ImportanceCard importance={model.importance} />}
        {calibration && <CalibrationCard bins={calibration} />}
        {rates.length > 0 && <RocCard rates={rates} counts={counts} />}
        {rates.length > 0 && counts.size > 0 && <PrecisionRecallCard rates={rates} counts={counts} />}
        {residuals && <Residuals bins={residuals} />}
      </div>
    </div>
  );
}

function Key({ model }: { model: Model }) {
  const text = useModelText();
  const format = useFormat();
  const { metrics, metrics_on: on, target } = model;
  const value = (name: string) => metricOf(metrics, name);
  const baseline = value('baseline_accuracy');
  const figures = (
    [
      ['accuracy', baseline === null ? undefined : text('accuracyAbout', { baseline: format.percent(baseline, 0) })],
      ['f1_macro', text('f1About')],
      ['auc', text('aucAbout')],
      ['expected_calibration_error', text('calibrationErrorAbout')],
      ['r2', text('r2About')],
      ['rmse', text('rmseAbout', { target: target ?? '' })],
      ['mae', text('maeAbout')],
      ['perplexity', text('perplexityAbout')],
    ] as const
  ).flatMap(([name, about]) => {
    const own = value(name);
    return own === null ? [] : [{ name, about, own }];
  });
  if (figures.length === 0) return null;
  const count = value('rows') ?? 0;
  return (
    <div>
      <Figures>
        {figures.map(({ name, about, own }) => (
          <Figure key={name} label={text(name)} value={writeMetric(name, own, format)} about={about} />
        ))}
      </Figures>
      {on && count > 0 && (
        <p className="mt-2 text-sm text-muted">
          {text(on === 'test' ? 'measuredOnTest' : 'measuredOnValidation', { count })}
        </p>
      )}
    </div>
  );
}

function ConfusionCard({ confusion: { labels, counts } }: { confusion: Confusion }) {
  const text = useModelText();
  const format = useFormat();
  return (
    <Card title={text('confusion')} description={text('confusionAbout')}>
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={text('confusion')}>
        <table className="border-separate border-spacing-1 text-sm">
          <thead>
            <tr>
              <th scope="col" className="pr-3 text-left text-xs font-normal text-faint">
                {text('actual')}
              </th>
              {labels.map(label => (
                <th
                  key={String(label)}
                  scope="col"
                  className="max-w-24 truncate px-1 pb-1 font-medium text-muted"
                  title={String(label)}
                >
                  {String(label)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {counts.map((row, index) => {
              const all = Math.max(
                1,
                row.reduce((sum, count) => sum + count, 0),
              );
              return (
                <tr key={String(labels[index])}>
                  <th
                    scope="row"
                    className="max-w-36 truncate pr-3 text-left font-medium text-muted"
                    title={String(labels[index])}
                  >
                    {String(labels[index])}
                  </th>
                  {row.map((count, column) => (
                    <td
                      key={String(labels[column])}
                      title={format.percent(count / all, 1)}
                      style={{
                        background:
                          count === 0
                            ? 'var(--color-sunken)'
                            : `color-mix(in oklab, var(--color-${index === column ? 'plot-1' : 'plot-3'}) ${Math.round(10 + (count / all) * 38)}%, var(--color-surface))`,
                      }}
                      className="h-10 min-w-14 rounded-md px-1 text-center tabular-nums"
                    >
                      {format.number(count)}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function CalibrationCard({ bins }: { bins: readonly Bin[] }) {
  const text = useModelText();
  const format = useFormat();
  const most = Math.max(1, ...bins.map(({ count }) => count));
  return (
    <Card title={text('calibration')} description={text('calibrationAbout')}>
      <SquarePlot
        label={text('calibrationPlot')}
        range={[0, 1]}
        points={bins.map(({ confidence, accuracy, count }) => ({
          x: confidence,
          y: accuracy,
          size: 4 + 8 * Math.sqrt(count / most),
        }))}
        format={value => format.percent(value)}
        xName={text('stated')}
        yName={text('right')}
      />
    </Card>
  );
}

function PairsCard({ pairs }: { pairs: readonly [number, number][] }) {
  const text = useModelText();
  const format = useFormat();
  const all = pairs.flat();
  return (
    <Card title={text('pairs')} description={text('pairsAbout')}>
      <SquarePlot
        label={text('pairsPlot', { count: pairs.length })}
        range={[Math.min(...all), Math.max(...all)]}
        points={pairs.map(([x, y]) => ({ x, y, size: 2.5 }))}
        format={value => format.compact(value)}
        xName={text('actual')}
        yName={text('prediction')}
      />
    </Card>
  );
}

function ImportanceCard({ importance }: { importance: Model['importance'] }) {
  const text = useModelText();
  const format = useFormat();
  const sorted = (importance ?? []).toSorted((one, other) => other.importance - one.importance).slice(0, 15);
  const most = Math.max(1e-12, ...sorted.map(each => each.importance));
  return (
    <Card title={text('importance')} description={text('importanceAbout')}>
      <ul className="flex flex-col gap-2.5">
        {sorted.map(each => (
          <li key={each.feature}>
            <div className="flex justify-between gap-3 text-sm">
              <span className="truncate">{each.feature}</span>
              <span className="text-muted tabular-nums">{format.decimal(each.importance, 3)}</span>
            </div>
            <div aria-hidden="true" className="mt-1 h-1.5 overflow-hidden rounded-full bg-line">
              <div
                className="h-full rounded-full bg-accent"
                style={{ width: `${Math.max(0, (each.importance / most) * 100)}%` }}
              />
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

// ROC and precision against recall of each class, side by side with what chance would reach.
import { Legend, plotColours } from '../../charts/line-chart.tsx';
import { useFormat } from '../../messages/format.ts';
import { Card } from '../../ui/card.tsx';
import { SquarePlot } from './plots.tsx';
import { type ClassRates, areaUnder, precisionRecall } from './rates.ts';
import { useModelText } from './text.ts';

/** More lines than there are colours are for nobody to tell apart: then those of the most frequent classes are drawn. */
const mostLines = plotColours.length;

interface RatesProps {
  rates: readonly ClassRates[];
  /** Rows of each class among those that were measured, by its label as a text. */
  counts: ReadonlyMap<string, number>;
}

export function RocCard({ rates, counts }: RatesProps) {
  const text = useModelText();
  const format = useFormat();
  const lines = drawn({ rates, counts }).map(({ label, points }) => ({
    name: `${String(label)} · ${format.decimal(areaUnder(points), 3)}`,
    points,
  }));
  return (
    <Card title={text('roc')} description={text('rocAbout')}>
      <SquarePlot
        label={text('rocPlot')}
        range={[0, 1]}
        lines={lines.map(({ points }) => points)}
        format={value => format.percent(value)}
        xName={text('falseAlarms')}
        yName={text('found')}
      />
      <Legend names={lines.map(({ name }) => name)} />
    </Card>
  );
}

export function PrecisionRecallCard({ rates, counts }: RatesProps) {
  const text = useModelText();
  const format = useFormat();
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const lines = drawn({ rates, counts }).map(({ label, points }) => {
    const positives = counts.get(String(label)) ?? 0;
    return { name: String(label), points: precisionRecall(points, positives, all - positives) };
  });
  return (
    <Card title={text('precisionRecall')} description={text('precisionRecallAbout')}>
      <SquarePlot
        label={text('precisionRecallPlot')}
        range={[0, 1]}
        diagonal={false}
        lines={lines.map(({ points }) => points)}
        format={value => format.percent(value)}
        xName={text('found')}
        yName={text('namedRight')}
      />
      <Legend names={lines.map(({ name }) => name)} />
    </Card>
  );
}

function drawn({ rates, counts }: RatesProps): ClassRates[] {
  const countOf = ({ label }: ClassRates) => counts.get(String(label)) ?? 0;
  const present = rates.filter(({ points }) => points.length > 1);
  const kept = new Set(present.toSorted((one, other) => countOf(other) - countOf(one)).slice(0, mostLines));
  return present.filter(each => kept.has(each));
}

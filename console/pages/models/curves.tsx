// Loss and metrics by epoch.
import { useState } from 'react';
import { type Line, LineChart } from '../../charts/line-chart.tsx';
import { useFormat } from '../../messages/format.ts';
import { Card } from '../../ui/card.tsx';
import { Segments } from '../../ui/select.tsx';
import type { Epoch } from './live.ts';
import { type MetricName, isMetric, writeMetric } from './metrics.ts';
import { type ModelText, useModelText } from './text.ts';

export function Curves({ epochs }: { epochs: readonly Epoch[] }) {
  const text = useModelText();
  const format = useFormat();
  const names = Object.keys(epochs[0]?.metrics ?? {}).filter(isMetric);
  const [chosen, setChosen] = useState<string>('loss');
  const shown = names.find(name => name === chosen);
  const lines = linesOf(epochs, { shown, text });
  return (
    <Card
      title={shown ? text(shown) : text('loss')}
      description={text('lossAbout')}
      actions={
        names.length > 0 && (
          <Segments
            label={text('metric')}
            value={shown ?? 'loss'}
            onChange={setChosen}
            choices={[
              { value: 'loss', label: text('loss') },
              ...names.filter(name => name !== 'log_loss').map(name => ({ value: name as string, label: text(name) })),
            ]}
          />
        )
      }
    >
      <LineChart
        label={shown ? text('metricPlot', { name: text(shown) }) : text('lossPlot')}
        lines={lines}
        heightPx={260}
        formatX={epoch => text('epoch', { number: Math.round(epoch) })}
        formatY={value => (shown ? writeMetric(shown, value, format) : format.decimal(value, 4))}
      />
    </Card>
  );
}

function linesOf(
  epochs: readonly Epoch[],
  { shown, text }: { shown: MetricName | undefined; text: ModelText },
): Line[] {
  const xs = epochs.map(({ epoch }) => epoch);
  if (shown) return [{ name: text(shown), xs, ys: epochs.map(({ metrics }) => metrics[shown] ?? null) }];
  const held = epochs.map(each => each.validation_loss);
  return [
    { name: text('trainingLoss'), xs, ys: epochs.map(each => each.training_loss) },
    ...(held.some(value => value !== null) ? [{ name: text('validationLoss'), xs, ys: held }] : []),
  ];
}

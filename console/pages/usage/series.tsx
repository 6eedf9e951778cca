// Usage by day as bars, and by model or key as a table.
import { BarChart as BarChartIcon, Download } from 'lucide-react';
import { useMemo, useState } from 'react';
import { addressOf, useRoute } from '../../api/index.ts';
import { useModelNames } from '../../api/names.ts';
import { BarChart } from '../../charts/bar-chart.tsx';
import { useFormat } from '../../messages/format.ts';
import { usePreferences } from '../../preferences.ts';
import { ButtonLink, buttonClasses } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { Segments } from '../../ui/select.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { download } from '../../api/download.ts';
import { type Measure, type Sum, barsByDay, sumBy } from './sums.ts';
import { useUsageText } from './text.ts';

const dayMs = 86_400_000;

export function UsageOverTime() {
  const text = useUsageText();
  const format = useFormat();
  const modelName = useModelNames();
  const { language } = usePreferences();
  const [days, setDays] = useState<'7' | '30' | '90'>('30');
  const [by, setBy] = useState<'model' | 'key'>('model');
  const [measure, setMeasure] = useState<Measure>('cost_usd');
  const [today] = useState(() => Math.floor(Date.now() / dayMs) * dayMs);
  const from = new Date(today - (Number(days) - 1) * dayMs).toISOString();
  const { data, error, refetch } = useRoute('getUsageSeries', { query: { from } }, { everyMs: 30_000, keep: true });
  const write = (value: number) => (measure === 'cost_usd' ? format.money(value) : format.compact(value));
  const day = useMemo(
    () => new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', timeZone: 'UTC' }),
    [language],
  );
  const plot = useMemo(
    () => data && barsByDay(data, { by, measure, days: Number(days), others: text('others'), modelName }),
    [data, by, measure, days, text, modelName],
  );
  const sums = useMemo(() => (data ? sumBy(data, by, modelName) : []), [data, by, modelName]);
  return (
    <Card
      flush
      title={text('usageTitle')}
      actions={
        <button
          type="button"
          className={buttonClasses({ size: 'small' })}
          onClick={() => void download(addressOf('getUsageSeries', { query: { from, format: 'csv' } }), 'usage.csv')}
        >
          <Download aria-hidden="true" />
          {text('csv')}
        </button>
      }
    >
      <div className="flex flex-wrap gap-2 px-5 pb-4">
        <Segments
          label={text('period')}
          value={days}
          onChange={setDays}
          choices={[
            { value: '7', label: text('days7') },
            { value: '30', label: text('days30') },
            { value: '90', label: text('days90') },
          ]}
        />
        <Segments
          label={text('by')}
          value={by}
          onChange={setBy}
          choices={[
            { value: 'model', label: text('byModel') },
            { value: 'key', label: text('byKey') },
          ]}
        />
        <Segments
          label={text('measure')}
          value={measure}
          onChange={setMeasure}
          choices={[
            { value: 'cost_usd', label: text('cost') },
            { value: 'tokens', label: text('tokens') },
            { value: 'requests', label: text('requests') },
          ]}
        />
      </div>
      {error && (
        <div className="px-5 pb-5">
          <Problem error={error} retry={refetch} />
        </div>
      )}
      {!data && !error && <Skeleton />}
      {data && data.rows.length === 0 && (
        <Empty
          icon={<BarChartIcon />}
          title={text('emptyTitle')}
          action={
            <ButtonLink look="primary" to="/console/playground">
              {text('emptyAction')}
            </ButtonLink>
          }
        >
          {text('emptyAbout')}
        </Empty>
      )}
      {data && plot && data.rows.length > 0 && (
        <>
          <div className="px-5 pb-5">
            <BarChart
              label={text('usageTitle')}
              series={plot.names}
              bars={plot.bars.map(bar => ({ label: day.format(new Date(bar.day)), values: bar.values }))}
              formatY={write}
            />
          </div>
          <div className="border-t border-line">
            <SumTable sums={sums} by={by} />
          </div>
        </>
      )}
    </Card>
  );
}

function SumTable({ sums, by }: { sums: readonly Sum[]; by: 'model' | 'key' }) {
  const text = useUsageText();
  const format = useFormat();
  const total = sums.reduce((sum, { costUsd }) => sum + costUsd, 0);
  const columns: Column<Sum>[] = [
    { id: 'name', title: text(by === 'model' ? 'byModel' : 'byKey'), className: 'font-medium', cell: sum => sum.name },
    { id: 'requests', title: text('requests'), align: 'end', cell: sum => format.number(sum.requests) },
    { id: 'tokens', title: text('tokens'), align: 'end', cell: sum => format.number(sum.tokens) },
    {
      id: 'latency',
      title: text('latency'),
      align: 'end',
      cell: sum => `${format.decimal(sum.durationMs / Math.max(1, sum.requests), 1)} ms`,
    },
    { id: 'cost', title: text('cost'), align: 'end', cell: sum => format.money(sum.costUsd) },
    {
      id: 'share',
      title: text('share'),
      align: 'end',
      cell: sum => format.percent(total === 0 ? 0 : sum.costUsd / total),
    },
  ];
  return <Table label={text('usageTitle')} columns={columns} rows={sums} rowId={sum => sum.name} />;
}

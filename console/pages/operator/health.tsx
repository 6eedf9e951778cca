// How the server does: its state now, and latency, throughput and the machine over time.
import { useState } from 'react';
import { type Answer, useRoute } from '../../api/index.ts';
import { type Line, LineChart } from '../../charts/line-chart.tsx';
import { useFormat } from '../../messages/format.ts';
import { usePreferences } from '../../preferences.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card, Figure, Figures } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Segments } from '../../ui/select.tsx';
import { useOperatorText } from './text.ts';

type Series = Answer<'getServerSeries'>;

export function Health() {
  const text = useOperatorText();
  const [minutes, setMinutes] = useState<'15' | '60' | '360' | '1440'>('60');
  const health = useRoute('getHealth', undefined, { everyMs: 10_000 });
  const series = useRoute('getServerSeries', { query: { minutes } }, { everyMs: 10_000, keep: true });
  const error = health.error ?? series.error;
  if (error) return <Problem error={error} retry={() => Promise.all([health.refetch(), series.refetch()])} />;
  return (
    <div className="flex flex-col gap-6">
      {health.data ? <Now health={health.data} /> : <Skeleton lines={3} />}
      <Segments
        label={text('window')}
        value={minutes}
        onChange={setMinutes}
        choices={[
          { value: '15', label: text('minutes15') },
          { value: '60', label: text('hour') },
          { value: '360', label: text('hours6') },
          { value: '1440', label: text('day') },
        ]}
      />
      {series.data && <Plots series={series.data} />}
    </div>
  );
}

function Now({ health }: { health: Answer<'getHealth'> }) {
  const text = useOperatorText();
  const format = useFormat();
  const isWell = health.status === 'healthy' || health.status === 'ok';
  const load = (label: string, percent: number) => (
    <Figure
      label={label}
      value={format.percent(percent / 100)}
      about={
        <Progress label={label} value={percent / 100} tone={percent > 95 ? 'bad' : percent > 85 ? 'warn' : 'accent'} />
      }
    />
  );
  return (
    <Figures>
      <Figure
        label={text('status')}
        value={<Badge tone={isWell ? 'good' : 'warn'}>{isWell ? text('healthy') : health.status}</Badge>}
        about={text('up', { time: format.duration(health.uptime_seconds * 1000) })}
      />
      {load(text('cpu'), health.system.cpu_percent)}
      {load(text('memory'), health.system.memory_percent)}
      {load(text('disk'), health.system.disk_percent)}
    </Figures>
  );
}

function Plots({ series }: { series: Series }) {
  const text = useOperatorText();
  const format = useFormat();
  const { language } = usePreferences();
  const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' });
  const plot = (lines: [name: string, ys: readonly (number | null)[]][]): Line[] =>
    lines.map(([name, ys]) => ({ name, xs: series.at, ys }));
  if (series.at.length < 2) return <p className="text-muted">{text('seriesEmpty')}</p>;
  const shared = { formatX: (seconds: number) => clock.format(seconds * 1000), fromY: 0, heightPx: 190 };
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <Card title={text('latency')} description={text('latencyAbout')}>
        <LineChart
          {...shared}
          label={text('latency')}
          lines={plot([
            ['p50', series.p50_ms],
            ['p95', series.p95_ms],
            ['p99', series.p99_ms],
          ])}
          formatY={ms => (ms < 1000 ? `${format.decimal(ms, 1)} ms` : format.duration(ms))}
        />
      </Card>
      <Card title={text('throughput')} description={text('throughputAbout')}>
        <LineChart
          {...shared}
          label={text('throughput')}
          lines={plot([
            [text('requestsASecond'), series.requests_per_second],
            [text('errorsASecond'), series.errors_per_second],
          ])}
        />
      </Card>
      <Card title={text('tokens')}>
        <LineChart
          {...shared}
          label={text('tokens')}
          lines={plot([
            [text('tokens'), series.tokens_per_second],
            [text('queue'), series.queued_tokens],
          ])}
          formatY={format.compact}
        />
      </Card>
      <Card title={text('machine')} description={text('machineAbout')}>
        <LineChart
          {...shared}
          label={text('machine')}
          lines={plot([
            [text('cpu'), series.cpu_percent],
            [text('memory'), series.memory_percent],
          ])}
          formatY={percent => format.percent(percent / 100)}
        />
      </Card>
    </div>
  );
}

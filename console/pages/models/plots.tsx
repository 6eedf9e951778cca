// Small plots of a model's results.
import { BarChart } from '../../charts/bar-chart.tsx';
import { ticks } from '../../charts/decimate.ts';
import { plotColours } from '../../charts/line-chart.tsx';
import { useFormat } from '../../messages/format.ts';
import { Card } from '../../ui/card.tsx';
import { useModelText } from './text.ts';

interface SquarePlotProps {
  label: string;
  /** Of both axes. */
  range: [from: number, to: number];
  points?: readonly { x: number; y: number; size: number }[];
  lines?: readonly (readonly (readonly [x: number, y: number])[])[];
  /** The line on which x and y are the same. */
  diagonal?: boolean;
  format: (value: number) => string;
  xName: string;
  yName: string;
}

const side = 320;
const margin = { left: 48, bottom: 36, top: 14, right: 20 };

/** Points and lines on a square with the same axis to both sides. */
export function SquarePlot({
  label,
  range: [from, to],
  points,
  lines,
  diagonal = true,
  format,
  xName,
  yName,
}: SquarePlotProps) {
  const span = to - from || 1;
  const [width, height] = [side - margin.left - margin.right, side - margin.top - margin.bottom];
  const x = (value: number) => margin.left + ((value - from) / span) * width;
  const y = (value: number) => margin.top + height - ((value - from) / span) * height;
  return (
    <svg viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label} className="mx-auto block w-full max-w-sm">
      {ticks({ from, to }, 5).map(tick => (
        <g key={tick} className="fill-faint text-[10px]">
          <line x1={margin.left} x2={side - margin.right} y1={y(tick)} y2={y(tick)} className="stroke-line" />
          <text x={margin.left - 6} y={y(tick)} dy="0.32em" textAnchor="end">
            {format(tick)}
          </text>
          <text x={x(tick)} y={side - margin.bottom + 14} textAnchor="middle">
            {format(tick)}
          </text>
        </g>
      ))}
      {diagonal && (
        <line x1={x(from)} y1={y(from)} x2={x(to)} y2={y(to)} className="stroke-line-strong" strokeDasharray="4 4" />
      )}
      {lines?.map((line, index) => (
        <polyline
          // Lines have no name but their place.
          // oxlint-disable-next-line react/no-array-index-key
          key={index}
          points={line.map(([atX, atY]) => `${x(atX).toFixed(1)},${y(atY).toFixed(1)}`).join(' ')}
          fill="none"
          stroke={plotColours[index % plotColours.length]}
          strokeWidth={1.75}
          strokeLinejoin="round"
        />
      ))}
      {points?.map((point, index) => (
        // Points have no name but their place.
        // oxlint-disable-next-line react/no-array-index-key
        <circle key={index} cx={x(point.x)} cy={y(point.y)} r={point.size} className="fill-plot-1" fillOpacity={0.55} />
      ))}
      <text x={margin.left + width / 2} y={side - 4} textAnchor="middle" className="fill-muted text-[11px]">
        {xName}
      </text>
      <text
        transform={`translate(11 ${margin.top + height / 2}) rotate(-90)`}
        textAnchor="middle"
        className="fill-muted text-[11px]"
      >
        {yName}
      </text>
    </svg>
  );
}

export function Residuals({ bins }: { bins: readonly { from: number; to: number; count: number }[] }) {
  const text = useModelText();
  const format = useFormat();
  return (
    <Card title={text('residuals')} description={text('residualsAbout')}>
      <BarChart
        label={text('residuals')}
        series={[text('rows')]}
        bars={bins.map(({ from, to, count }) => ({ label: format.compact((from + to) / 2), values: [count] }))}
        formatY={value => format.compact(value)}
        heightPx={280}
      />
    </Card>
  );
}

// Bars by day or hour, stacked by model or key.
import { useState } from 'react';
import { labelRoom, ticks } from './decimate.ts';
import { Legend, Swatch, plotColours } from './line-chart.tsx';
import { useWidth } from './use-width.ts';

export interface Bar {
  /** Below the bar, and unique. */
  label: string;
  /** One value for each series. */
  values: readonly number[];
}

interface BarChartProps {
  label: string;
  series: readonly string[];
  bars: readonly Bar[];
  formatY: (value: number) => string;
  heightPx?: number;
}

const edges = { top: 8, right: 0, bottom: 22 };

export function BarChart({ label, series, bars, formatY, heightPx = 240 }: BarChartProps) {
  const [frame, width] = useWidth();
  const [over, setOver] = useState<number | null>(null);
  const highest = Math.max(0, ...bars.map(bar => sum(bar.values))) || 1;
  const lines = ticks({ from: 0, to: highest * 1.05 }, 4);
  const top = highest * 1.05;
  const margin = { ...edges, left: labelRoom(lines.map(formatY)) };
  const inner = {
    width: Math.max(1, width - margin.left - margin.right),
    height: heightPx - margin.top - margin.bottom,
  };
  const step = inner.width / Math.max(1, bars.length);
  const every = Math.max(1, Math.ceil(bars.length / Math.max(1, Math.floor(inner.width / 72))));
  const shown = over === null ? undefined : bars[over];
  return (
    <div>
      <div ref={frame} className="relative" onPointerLeave={() => setOver(null)}>
        <svg width={width} height={heightPx} role="img" aria-label={label} className="block">
          <g transform={`translate(${margin.left} ${margin.top})`}>
            {lines.map(tick => (
              <g key={tick} transform={`translate(0 ${inner.height - (tick / top) * inner.height})`}>
                <line x2={inner.width} stroke="var(--color-line)" />
                <text x={-8} dy="0.32em" textAnchor="end" className="fill-faint text-xs">
                  {formatY(tick)}
                </text>
              </g>
            ))}
            {bars.map((bar, index) => {
              let below = 0;
              return (
                <g key={bar.label} transform={`translate(${index * step} 0)`} onPointerEnter={() => setOver(index)}>
                  <rect
                    width={step}
                    height={inner.height}
                    fill={index === over ? 'var(--color-hover)' : 'transparent'}
                  />
                  {bar.values.map((value, at) => {
                    const height = (value / top) * inner.height;
                    below += height;
                    return (
                      <rect
                        key={series[at]}
                        x={step * 0.15}
                        y={inner.height - below}
                        width={Math.max(1, Math.min(step * 0.7, 40))}
                        height={height}
                        fill={plotColours[at % plotColours.length]}
                      />
                    );
                  })}
                  {index % every === 0 && (
                    <text
                      x={step * 0.15 + Math.min(step * 0.7, 40) / 2}
                      y={inner.height + 16}
                      textAnchor={index === 0 ? 'start' : 'middle'}
                      className="fill-faint text-xs"
                    >
                      {bar.label}
                    </text>
                  )}
                </g>
              );
            })}
            <line y1={inner.height} y2={inner.height} x2={inner.width} stroke="var(--color-line-strong)" />
          </g>
        </svg>
        {shown && over !== null && (
          <div
            className="pointer-events-none absolute top-1 z-10 min-w-32 rounded-md bg-raised px-2.5 py-1.5 text-sm shadow-layer"
            style={over > bars.length / 2 ? { left: margin.left + 4 } : { right: 4 }}
          >
            <div className="text-xs text-muted">{shown.label}</div>
            {series.map((name, index) => (
              <div key={name} className="flex items-center gap-2">
                <Swatch index={index} />
                <span className="text-muted">{name}</span>
                <span className="ml-auto pl-3 font-medium">{formatY(shown.values[index] ?? 0)}</span>
              </div>
            ))}
          </div>
        )}
      </div>
      {series.length > 1 && <Legend names={series} />}
    </div>
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

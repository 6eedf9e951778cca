// Lines over a numeric axis: the wheel zooms, dragging pans, two presses show all, and so do the arrow keys, + and -, and 0.
//
// What is drawn is decimated to the width, so a hundred thousand points cost one scan of what is in view.
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { useFormat } from '../messages/format.ts';
import { type Extent, decimate, firstAtLeast, labelRoom, ticks } from './decimate.ts';
import { useWidth } from './use-width.ts';

export interface Line {
  name: string;
  /** Ascending. */
  xs: ArrayLike<number>;
  ys: ArrayLike<number | null>;
  /** Held back, e.g. a baseline. */
  dashed?: boolean;
}

interface LineChartProps {
  /** What it shows, for people who hear it. */
  label: string;
  lines: readonly Line[];
  heightPx?: number;
  formatX?: (x: number) => string;
  formatY?: (y: number) => string;
  /** The y-axis begins here instead of at the lowest value. */
  fromY?: number;
  /** What is in view when nothing was zoomed. */
  range?: Extent;
}

export const plotColours = [
  'var(--color-plot-1)',
  'var(--color-plot-2)',
  'var(--color-plot-3)',
  'var(--color-plot-4)',
  'var(--color-plot-5)',
  'var(--color-plot-6)',
] as const;

const edges = { top: 8, right: 8, bottom: 22 };

export function LineChart({ label, lines, heightPx = 220, formatX, formatY, fromY, range }: LineChartProps) {
  const format = useFormat();
  const clip = useId();
  const [frame, width] = useWidth();
  const [zoom, setZoom] = useState<Extent | null>(null);
  const [pointer, setPointer] = useState<number | null>(null);
  const drag = useRef<{ at: number; view: Extent } | null>(null);
  const writeX = formatX ?? ((x: number) => format.decimal(x, 2));
  const writeY = formatY ?? ((y: number) => format.decimal(y, 4));

  const whole = useMemo(() => range ?? extentOf(lines), [range, lines]);
  const view = zoom ?? whole;
  const drawn = useMemo(
    () => lines.map(line => decimate(line.xs, line.ys, view, Math.max(1, width))),
    [lines, view, width],
  );
  const vertical = useMemo(() => verticalExtent(drawn, fromY), [drawn, fromY]);
  const margin = { ...edges, left: labelRoom(ticks(vertical, 4).map(writeY)) };
  const inner = {
    width: Math.max(1, width - margin.left - margin.right),
    height: heightPx - margin.top - margin.bottom,
  };
  const toX = (x: number) => ((x - view.from) / (view.to - view.from)) * inner.width;
  const toY = (y: number) => inner.height - ((y - vertical.from) / (vertical.to - vertical.from)) * inner.height;
  const fromPixel = (pixel: number) => view.from + (pixel / inner.width) * (view.to - view.from);

  const look = (next: Extent) => {
    const span = Math.min(Math.max(next.to - next.from, (whole.to - whole.from) / 1e5), whole.to - whole.from);
    const from = Math.min(Math.max(next.from, whole.from), whole.to - span);
    setZoom(span >= (whole.to - whole.from) * 0.999 ? null : { from, to: from + span });
  };
  const zoomAt = (x: number, factor: number) =>
    look({ from: x - (x - view.from) * factor, to: x + (view.to - x) * factor });

  // React listens to wheels passively, and then the page would scroll along.
  const onWheel = useRef<(event: WheelEvent) => void>(() => {});
  useEffect(() => {
    onWheel.current = event => {
      if (!event.ctrlKey && !event.metaKey && !zoom && !event.shiftKey) return;
      event.preventDefault();
      const box = frame.current?.getBoundingClientRect();
      zoomAt(fromPixel(event.clientX - (box?.left ?? 0) - margin.left), event.deltaY > 0 ? 1.25 : 0.8);
    };
  });
  useEffect(() => {
    const element = frame.current;
    const listen = (event: WheelEvent) => onWheel.current(event);
    element?.addEventListener('wheel', listen, { passive: false });
    return () => element?.removeEventListener('wheel', listen);
  }, [frame]);

  const pixelOf = (event: PointerEvent) =>
    event.clientX - event.currentTarget.getBoundingClientRect().left - margin.left;
  const onPointerMove = (event: PointerEvent) => {
    const pixel = pixelOf(event);
    if (drag.current) {
      const shift = ((drag.current.at - pixel) / inner.width) * (drag.current.view.to - drag.current.view.from);
      look({ from: drag.current.view.from + shift, to: drag.current.view.to + shift });
    }
    setPointer(pixel >= 0 && pixel <= inner.width ? pixel : null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const middle = (view.from + view.to) / 2;
    const step = (view.to - view.from) / 10;
    if (event.key === '+' || event.key === '=') zoomAt(middle, 0.7);
    else if (event.key === '-') zoomAt(middle, 1.4);
    else if (event.key === '0' || event.key === 'Escape') setZoom(null);
    else if (event.key === 'ArrowLeft') look({ from: view.from - step, to: view.to - step });
    else if (event.key === 'ArrowRight') look({ from: view.from + step, to: view.to + step });
    else return;
    event.preventDefault();
  };

  const at = pointer === null ? null : fromPixel(pointer);
  const near = at === null ? [] : lines.map(line => nearest(line, at));
  return (
    <div>
      <div
        ref={frame}
        role="application"
        aria-label={label}
        tabIndex={0}
        className="relative touch-pan-y rounded-sm select-none"
        onPointerDown={event => {
          if (zoom) event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { at: pixelOf(event), view };
        }}
        onPointerMove={onPointerMove}
        onPointerUp={() => (drag.current = null)}
        onPointerLeave={() => {
          drag.current = null;
          setPointer(null);
        }}
        onDoubleClick={() => setZoom(null)}
        onKeyDown={onKeyDown}
      >
        <svg width={width} height={heightPx} aria-hidden="true" className="block">
          <clipPath id={clip}>
            <rect width={inner.width} height={inner.height + 2} y={-1} />
          </clipPath>
          <g transform={`translate(${margin.left} ${margin.top})`}>
            {ticks(vertical, 4).map(tick => (
              <g key={tick} transform={`translate(0 ${toY(tick)})`}>
                <line x2={inner.width} stroke="var(--color-line)" />
                <text x={-8} dy="0.32em" textAnchor="end" className="fill-faint text-xs">
                  {writeY(tick)}
                </text>
              </g>
            ))}
            {ticks(view, Math.max(3, Math.floor(inner.width / 110))).map(tick => (
              <text
                key={tick}
                x={toX(tick)}
                y={inner.height + 16}
                // One at the very edge would be cut off.
                textAnchor={toX(tick) > inner.width - 20 ? 'end' : 'middle'}
                className="fill-faint text-xs"
              >
                {writeX(tick)}
              </text>
            ))}
            <g clipPath={`url(#${clip})`}>
              {drawn.map((points, index) => (
                <path
                  key={lines[index]?.name}
                  d={pathOf(points, toX, toY)}
                  fill="none"
                  stroke={plotColours[index % plotColours.length]}
                  strokeWidth={1.75}
                  strokeLinejoin="round"
                  {...(lines[index]?.dashed && { strokeDasharray: '4 4' })}
                />
              ))}
            </g>
            {pointer !== null && <line x1={pointer} x2={pointer} y2={inner.height} stroke="var(--color-line-strong)" />}
            {near.map(
              (point, index) =>
                point && (
                  <circle
                    key={lines[index]?.name}
                    cx={toX(point.x)}
                    cy={toY(point.y)}
                    r={3.5}
                    fill={plotColours[index % plotColours.length]}
                    stroke="var(--color-surface)"
                    strokeWidth={1.5}
                  />
                ),
            )}
          </g>
        </svg>
        {near.some(Boolean) && at !== null && (
          <div
            className="pointer-events-none absolute top-1 z-10 min-w-28 rounded-md bg-raised px-2.5 py-1.5 text-sm shadow-layer"
            style={
              pointer !== null && pointer > inner.width / 2 ? { left: margin.left + 4 } : { right: margin.right + 4 }
            }
          >
            <div className="text-xs text-muted">{writeX(near.find(Boolean)?.x ?? at)}</div>
            {near.map(
              (point, index) =>
                point && (
                  <div key={lines[index]?.name} className="flex items-center gap-2">
                    <Swatch index={index} />
                    <span className="text-muted">{lines[index]?.name}</span>
                    <span className="ml-auto pl-3 font-medium">{writeY(point.y)}</span>
                  </div>
                ),
            )}
          </div>
        )}
      </div>
      {lines.length > 1 && <Legend names={lines.map(line => line.name)} />}
    </div>
  );
}

/** Names of series beside their colours. */
export function Legend({ names }: { names: readonly string[] }) {
  return (
    <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
      {names.map((name, index) => (
        <li key={name} className="flex items-center gap-2">
          <Swatch index={index} />
          {name}
        </li>
      ))}
    </ul>
  );
}

export function Swatch({ index }: { index: number }) {
  return (
    <span className="size-2 shrink-0 rounded-full" style={{ background: plotColours[index % plotColours.length] }} />
  );
}

function extentOf(lines: readonly Line[]): Extent {
  const filled = lines.filter(line => line.xs.length > 0);
  const from = Math.min(...filled.map(line => line.xs[0] ?? 0));
  const to = Math.max(...filled.map(line => line.xs[line.xs.length - 1] ?? 0));
  if (filled.length === 0) return { from: 0, to: 1 };
  return from === to ? { from: from - 0.5, to: to + 0.5 } : { from, to };
}

function verticalExtent(drawn: readonly [number, number][][], fromY: number | undefined): Extent {
  let from = fromY ?? Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const points of drawn) {
    for (const [, y] of points) {
      if (y < from) from = y;
      if (y > to) to = y;
    }
  }
  if (!Number.isFinite(from) || !Number.isFinite(to)) return { from: fromY ?? 0, to: (fromY ?? 0) + 1 };
  if (to <= from) return { from: fromY ?? from - 0.5, to: from + 0.5 };
  const room = (to - from) * 0.06;
  return { from: fromY ?? from - room, to: to + room };
}

function pathOf(points: readonly [number, number][], toX: (x: number) => number, toY: (y: number) => number): string {
  let path = '';
  let isDown = false;
  for (const [x, y] of points) {
    if (Number.isNaN(y)) {
      isDown = false;
      continue;
    }
    path += `${isDown ? 'L' : 'M'}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

function nearest(line: Line, x: number): { x: number; y: number } | null {
  const right = firstAtLeast(line.xs, x);
  const left = right - 1;
  const isLeft = right >= line.xs.length || (left >= 0 && x - (line.xs[left] ?? 0) < (line.xs[right] ?? 0) - x);
  const index = isLeft ? left : right;
  const y = line.ys[index];
  return index < 0 || y === null || y === undefined || Number.isNaN(y) ? null : { x: line.xs[index] ?? 0, y };
}

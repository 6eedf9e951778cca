// Points on a plane that can be moved and zoomed, by pointer and by keyboard.
import { Minus, Plus, RotateCcw } from 'lucide-react';
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Button } from '../../ui/button.tsx';
import { paint } from './canvas.ts';
import { usePlaygroundText } from './text.ts';

export interface ScatterPoint {
  x: number;
  y: number;
  label: string;
  group: string;
}

/** What part of the plane is seen: its middle, and how many times larger than when all is seen. */
interface View {
  x: number;
  y: number;
  zoom: number;
}

const whole: View = { x: 0, y: 0, zoom: 1 };
/** Groups beyond these share the last colour. */
const colours = 6;
const padding = 28;
/** Labels of up to so many points are written beside them when there is room. */
const mostLabels = 60;

export function Scatter({ points }: { points: readonly ScatterPoint[] }) {
  const text = usePlaygroundText();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState(whole);
  const [near, setNear] = useState<{ point: ScatterPoint; left: number; top: number } | null>(null);
  const drag = useRef<{ x: number; y: number; view: View } | null>(null);
  const groups = useMemo(() => largestGroups(points), [points]);
  const frame = useMemo(() => frameOf(points), [points]);

  const placed = useRef<{ left: number; top: number }[]>([]);
  useEffect(
    () =>
      paint(canvas.current, ({ context, width, height, colour }) => {
        const place = placer(frame, { view, width, height });
        placed.current = points.map(place);
        context.font = '12px ui-sans-serif, system-ui, sans-serif';
        for (const [index, { group }] of points.entries()) {
          const at = placed.current[index];
          if (!at || at.left < -8 || at.top < -8 || at.left > width + 8 || at.top > height + 8) continue;
          context.globalAlpha = 0.82;
          context.fillStyle = colour(`plot-${colourOf(group, groups)}`);
          context.beginPath();
          context.arc(at.left, at.top, points.length > 300 ? 3 : 4.5, 0, Math.PI * 2);
          context.fill();
        }
        context.globalAlpha = 1;
        context.fillStyle = colour('muted');
        if (points.length <= mostLabels) writeLabels(context, { points, placed: placed.current, width });
      }),
    [points, view, groups, frame],
  );

  // React listens to the wheel passively, and a map that zooms must not scroll the page too.
  useEffect(() => {
    const element = canvas.current;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element && Math.abs(event.deltaY) < 1) return;
      event.preventDefault();
      setView(before => zoomed(before, Math.exp(-event.deltaY * 0.002)));
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, []);

  const onMove = (event: PointerEvent<HTMLCanvasElement>) => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const begun = drag.current;
    if (begun) {
      const scale = scaleOf(frame, { width, height }) * begun.view.zoom;
      setView({
        ...begun.view,
        x: begun.view.x - (event.clientX - begun.x) / scale,
        y: begun.view.y + (event.clientY - begun.y) / scale,
      });
      return;
    }
    const [x, y] = [event.clientX - left, event.clientY - top];
    const distances = placed.current.map(at => Math.hypot(at.left - x, at.top - y));
    const index = distances.reduce((best, each, at) => (each < (distances[best] ?? Infinity) ? at : best), 0);
    const [point, at] = [points[index], placed.current[index]];
    setNear(point && at && (distances[index] ?? Infinity) < 14 ? { point, ...at } : null);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = 0.15 / view.zoom / frame.scale;
    const moves: Record<string, () => View> = {
      '+': () => zoomed(view, 1.3),
      '=': () => zoomed(view, 1.3),
      '-': () => zoomed(view, 1 / 1.3),
      '0': () => whole,
      ArrowLeft: () => ({ ...view, x: view.x - step }),
      ArrowRight: () => ({ ...view, x: view.x + step }),
      ArrowUp: () => ({ ...view, y: view.y + step }),
      ArrowDown: () => ({ ...view, y: view.y - step }),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setView(move());
  };

  return (
    <div>
      <div className="relative overflow-hidden rounded-lg border border-line bg-sunken">
        <canvas
          ref={canvas}
          role="img"
          aria-label={text('mapPicture', { count: points.length })}
          // The picture is moved by keys, so it can be gone to.
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          onKeyDown={onKey}
          onDoubleClick={() => setView(whole)}
          onPointerDown={event => {
            event.currentTarget.setPointerCapture(event.pointerId);
            drag.current = { x: event.clientX, y: event.clientY, view };
            setNear(null);
          }}
          onPointerUp={() => (drag.current = null)}
          onPointerCancel={() => (drag.current = null)}
          onPointerMove={onMove}
          onPointerLeave={() => setNear(null)}
          className="block h-[26rem] w-full cursor-grab touch-none active:cursor-grabbing sm:h-[32rem]"
        />
        {near && (
          <div
            className="pointer-events-none absolute z-10 max-w-64 -translate-x-1/2 rounded-md bg-ink px-2.5 py-1.5 text-sm text-canvas shadow-layer"
            style={{ left: near.left, top: near.top + 10 }}
          >
            {near.point.group && <span className="block text-xs opacity-75">{near.point.group}</span>}
            {near.point.label.slice(0, 200)}
          </div>
        )}
        <div className="absolute top-2 right-2 flex flex-col gap-1">
          <Button size="icon" aria-label={text('zoomIn')} onClick={() => setView(zoomed(view, 1.5))}>
            <Plus />
          </Button>
          <Button size="icon" aria-label={text('zoomOut')} onClick={() => setView(zoomed(view, 1 / 1.5))}>
            <Minus />
          </Button>
          <Button size="icon" aria-label={text('showAll')} onClick={() => setView(whole)}>
            <RotateCcw />
          </Button>
        </div>
      </div>
      {groups.length > 1 && (
        <ul className="mt-3 flex flex-wrap gap-x-4 gap-y-1.5 text-sm text-muted">
          {groups.slice(0, colours).map((group, index) => (
            <li key={group} className="flex items-center gap-1.5">
              <span
                aria-hidden="true"
                className="size-2.5 rounded-full"
                style={{ background: `var(--color-plot-${index + 1})` }}
              />
              {index === colours - 1 && groups.length > colours ? text('others') : group}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface Frame {
  x: number;
  y: number;
  /** 1 / the larger half of the spread. */
  scale: number;
  wide: number;
  high: number;
}

function frameOf(points: readonly ScatterPoint[]): Frame {
  const [left, right] = range(points.map(({ x }) => x));
  const [bottom, top] = range(points.map(({ y }) => y));
  const [wide, high] = [(right - left) / 2 || 1, (top - bottom) / 2 || 1];
  return { x: (left + right) / 2, y: (bottom + top) / 2, scale: 1 / Math.max(wide, high), wide, high };
}

function range(values: readonly number[]): [number, number] {
  return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
}

/** Pixels of a unit when all is seen; the same for both axes, since distances are what the map is about. */
function scaleOf(frame: Frame, { width, height }: { width: number; height: number }): number {
  return Math.min((width / 2 - padding) / frame.wide, (height / 2 - padding) / frame.high);
}

function placer(frame: Frame, { view, width, height }: { view: View; width: number; height: number }) {
  const scale = scaleOf(frame, { width, height }) * view.zoom;
  return ({ x, y }: { x: number; y: number }) => ({
    left: width / 2 + (x - frame.x - view.x) * scale,
    top: height / 2 - (y - frame.y - view.y) * scale,
  });
}

function zoomed(view: View, by: number): View {
  return { ...view, zoom: Math.min(60, Math.max(0.5, view.zoom * by)) };
}

/** The largest first, since the first have colours of their own. */
function largestGroups(points: readonly ScatterPoint[]): string[] {
  const counts = new Map<string, number>();
  for (const { group } of points) counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts.entries()].toSorted(([, one], [, other]) => other - one).map(([group]) => group);
}

function colourOf(group: string, groups: readonly string[]): number {
  return Math.min(colours, groups.indexOf(group) + 1);
}

interface Labels {
  points: readonly ScatterPoint[];
  placed: readonly { left: number; top: number }[];
  width: number;
}

/** Writes each label that covers none before it. */
function writeLabels(context: CanvasRenderingContext2D, { points, placed, width }: Labels): void {
  const taken: { left: number; right: number; top: number; bottom: number }[] = placed.map(({ left, top }) => ({
    left: left - 5,
    right: left + 5,
    top: top - 5,
    bottom: top + 5,
  }));
  for (const [index, { label }] of points.entries()) {
    const at = placed[index];
    if (!at) continue;
    const short = label.length > 30 ? `${label.slice(0, 29)}…` : label;
    const box = {
      left: at.left + 8,
      right: at.left + 8 + context.measureText(short).width,
      top: at.top - 7,
      bottom: at.top + 7,
    };
    const covered = taken.some(
      (other, each) =>
        each !== index &&
        box.left < other.right &&
        box.right > other.left &&
        box.top < other.bottom &&
        box.bottom > other.top,
    );
    if (covered || box.right > width - 4) continue;
    context.fillText(short, box.left, at.top + 4);
    taken.push(box);
  }
}

// The rules of limits, without a clock or a store.
//
// 1. A window is fixed: it starts with the first request counted in it and lasts a minute, an hour or a day.
// 2. Each key has, for each family of routes, a minute's window and a longer one.
// 3. A request that either counter refuses is counted in neither.
// 4. Reading has a minute of its own, ten times as large, so that polling a job doesn't use up the plan.
// 5. A person in the console reads on a minute of its own, the same on every plan.
// 6. When both refuse, the one that frees last is named: coming back earlier would be in vain.
import type { Plan } from './plans.ts';

export type Family = 'vectors' | 'data' | 'read' | 'console';

export interface Counter {
  name: 'minute' | 'hour' | 'day';
  limit: number;
  remaining: number;
  /** When the window ends; for a counter with no window open, when one that started now would. */
  resetAt: Date;
}

export interface Admission {
  admitted: boolean;
  /** Without those that are unlimited. */
  counters: Counter[];
  /** Set when not admitted. */
  refusedBy?: Counter;
}

/** What has been counted, times in milliseconds. */
export interface Windows {
  minuteStartMs: number;
  minuteCount: number;
  longStartMs: number;
  longCount: number;
}

/** `null` is unlimited. */
export interface Limits {
  minute: number | null;
  long: number | null;
  longName: 'hour' | 'day';
  longMs: number;
}

export const minuteMs = 60_000;
/** More than a person at a page asks for, on whichever plan. */
const consoleMinute = 1200;
export const longestMs = 24 * 60 * minuteMs;

export function limitsOf({ vectors, data }: Plan, family: Family): Limits {
  if (family === 'vectors')
    return { minute: vectors.minute, long: vectors.hour, longName: 'hour', longMs: 60 * minuteMs };
  const day = { longName: 'day', longMs: longestMs } as const;
  if (family === 'data') return { minute: data.minute, long: data.day, ...day };
  if (family === 'console') return { minute: consoleMinute, long: null, ...day };
  const unlimited = vectors.minute === null || data.minute === null;
  return { minute: unlimited ? null : 10 * Math.max(vectors.minute ?? 0, data.minute ?? 0), long: null, ...day };
}

/** The windows as they are at `nowMs`: those that have ended start anew, empty. */
export function current(windows: Windows | undefined, { longMs }: Limits, nowMs: number): Windows {
  const minuteOpen = windows !== undefined && isOpen(windows.minuteStartMs, minuteMs, nowMs);
  const longOpen = windows !== undefined && isOpen(windows.longStartMs, longMs, nowMs);
  return {
    minuteStartMs: minuteOpen ? windows.minuteStartMs : nowMs,
    minuteCount: minuteOpen ? windows.minuteCount : 0,
    longStartMs: longOpen ? windows.longStartMs : nowMs,
    longCount: longOpen ? windows.longCount : 0,
  };
}

/** Whether both counters have room for `cost` more. */
export function hasRoom(windows: Windows, { minute, long }: Limits, cost: number): boolean {
  return (
    (minute === null || windows.minuteCount + cost <= minute) && (long === null || windows.longCount + cost <= long)
  );
}

export function counted(windows: Windows, cost: number): Windows {
  return { ...windows, minuteCount: windows.minuteCount + cost, longCount: windows.longCount + cost };
}

/** The answer for windows that already count the request if it was admitted. */
export function admission(
  windows: Windows,
  limits: Limits,
  { admitted, cost }: { admitted: boolean; cost: number },
): Admission {
  const counters: Counter[] = [];
  const counter = (name: Counter['name'], limit: number | null, count: number, endMs: number): void => {
    if (limit !== null) counters.push({ name, limit, remaining: Math.max(0, limit - count), resetAt: new Date(endMs) });
  };
  counter('minute', limits.minute, windows.minuteCount, windows.minuteStartMs + minuteMs);
  counter(limits.longName, limits.long, windows.longCount, windows.longStartMs + limits.longMs);
  if (admitted) return { admitted, counters };
  const refusing = counters.filter(({ remaining }) => remaining < cost);
  const [refusedBy] = refusing.toSorted((a, b) => b.resetAt.getTime() - a.resetAt.getTime());
  return refusedBy ? { admitted, counters, refusedBy } : { admitted: true, counters };
}

/** A window that starts in the future is left from a clock that was put back; it doesn't count. */
function isOpen(startMs: number, lengthMs: number, nowMs: number): boolean {
  return startMs <= nowMs && nowMs < startMs + lengthMs;
}

// Which days a question about usage means. Days are those of UTC. Pure.
import type { usagePeriods } from '@vectorium/contract';
import { ApiError } from '../http/index.ts';

/** Half-open. */
export interface Period {
  from: Date;
  to: Date;
}

interface Asked {
  period?: (typeof usagePeriods)[number] | undefined;
  /** First day. */
  from?: Date | undefined;
  /** Last day, included. */
  to?: Date | undefined;
}

const DAY_MS = 86_400_000;

/** The named period, or from one day to another; the last 30 days, today included, when nothing is said. */
export function periodOf({ period, from, to }: Asked, now: Date): Period {
  const today = startOfDay(now);
  const tomorrow = new Date(today.getTime() + DAY_MS);
  if (from || to) {
    const end = to ? new Date(startOfDay(to).getTime() + DAY_MS) : tomorrow;
    const start = from ? startOfDay(from) : daysBefore(end, 30);
    if (start.getUTCFullYear() < 1970 || end.getUTCFullYear() > 9999)
      throw new ApiError('INVALID_PARAMETER', { message: 'from and to must lie between 1970 and 9998', param: 'from' });
    if (start >= end) throw new ApiError('INVALID_PARAMETER', { message: 'from must not be after to', param: 'from' });
    return { from: start, to: end };
  }
  switch (period) {
    case 'today':
      return { from: today, to: tomorrow };
    case 'yesterday':
      return { from: daysBefore(today, 1), to: today };
    case 'last_7_days':
      return { from: daysBefore(tomorrow, 7), to: tomorrow };
    case 'this_month':
      return { from: monthOf(now, 0), to: tomorrow };
    case 'last_month':
      return { from: monthOf(now, -1), to: monthOf(now, 0) };
    default:
      return { from: daysBefore(tomorrow, 30), to: tomorrow };
  }
}

function startOfDay(time: Date): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()));
}

function daysBefore(day: Date, count: number): Date {
  return new Date(day.getTime() - count * DAY_MS);
}

function monthOf(time: Date, offset: number): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + offset, 1));
}

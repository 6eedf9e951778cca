// Numbers, money, sizes and times as the person's language writes them.
import { useMemo } from 'react';
import { type Language, usePreferences } from '../preferences.ts';

export interface Format {
  number(value: number): string;
  /** At most `digits` after the point. */
  decimal(value: number, digits?: number): string;
  /** 12.3K */
  compact(value: number): string;
  percent(share: number, digits?: number): string;
  /** Dollars; small amounts with as many digits as it takes to see them. */
  money(dollars: number): string;
  /** Dollars to the cent, for headlines. */
  cents(dollars: number): string;
  bytes(count: number): string;
  date(time: string | number | Date): string;
  time(time: string | number | Date): string;
  /** "3 minutes ago" */
  ago(time: string | number | Date): string;
  /** "1m 12s" */
  duration(ms: number): string;
}

export function useFormat(): Format {
  const { language } = usePreferences();
  return useMemo(() => formatIn(language), [language]);
}

export function formatIn(language: Language): Format {
  const plain = new Intl.NumberFormat(language);
  const short = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 });
  const day = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'long' });
  const unit = (value: number, name: string) =>
    new Intl.NumberFormat(language, {
      style: 'unit',
      unit: name,
      unitDisplay: 'narrow',
      maximumFractionDigits: 1,
    }).format(value);
  return {
    number: value => plain.format(value),
    decimal: (value, digits = 2) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value),
    compact: value => short.format(value),
    percent: (share, digits = 0) =>
      new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: digits }).format(share),
    money: dollars =>
      new Intl.NumberFormat(language, {
        style: 'currency',
        currency: 'USD',
        currencyDisplay: 'narrowSymbol',
        ...moneyDigits(dollars),
      }).format(dollars),
    cents: dollars => {
      const written = new Intl.NumberFormat(language, {
        style: 'currency',
        currency: 'USD',
        currencyDisplay: 'narrowSymbol',
      }).format(dollars !== 0 && Math.abs(dollars) < 0.01 ? Math.sign(dollars) / 100 : dollars);
      return dollars > 0 && dollars < 0.01 ? `< ${written}` : written;
    },
    bytes: count =>
      bytes(count, value =>
        new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value),
      ),
    date: time => day.format(new Date(time)),
    time: time => moment.format(new Date(time)),
    ago: time => ago(relative, new Date(time).getTime() - Date.now()),
    duration: ms => {
      const seconds = Math.round(ms / 1000);
      if (ms < 10_000) return unit(Math.round(ms / 100) / 10, 'second');
      if (seconds < 60) return unit(seconds, 'second');
      const minutes = Math.floor(seconds / 60);
      if (minutes < 60) return `${unit(minutes, 'minute')} ${unit(seconds % 60, 'second')}`;
      return `${unit(Math.floor(minutes / 60), 'hour')} ${unit(minutes % 60, 'minute')}`;
    },
  };
}

function moneyDigits(dollars: number): { minimumFractionDigits: number; maximumFractionDigits: number } {
  const size = Math.abs(dollars);
  if (size === 0 || size >= 1) return { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return {
    minimumFractionDigits: 2,
    maximumFractionDigits: Math.min(8, Math.max(2, 2 - Math.floor(Math.log10(size)))),
  };
}

function bytes(count: number, write: (value: number) => string): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const step = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${write(count / 1000 ** step)} ${units[step] ?? ''}`;
}

function ago(relative: Intl.RelativeTimeFormat, ms: number): string {
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['year', 31_536_000_000],
    ['month', 2_592_000_000],
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ];
  for (const [name, length] of steps) if (Math.abs(ms) >= length) return relative.format(Math.trunc(ms / length), name);
  return relative.format(Math.trunc(ms / 1000), 'second');
}

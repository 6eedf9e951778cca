// Raw columns become a row of f32: numbers and dates on a common scale, marks of what is missing, codes of categories.
import {
  add,
  cast,
  codes,
  concat,
  constant,
  div,
  gather,
  input,
  integers,
  isNaN,
  max,
  min,
  mul,
  scalar,
  sqrt,
  square,
  sub,
  type Tensor,
  where,
} from '@vectorium/tensor';
import { cyclesOf, secondsOf } from './dates.ts';
import type { Feature } from './types.ts';

/** How an encoded row is laid out: numbers and dates, then other values on about the same scale, then codes of categories. */
export interface Layout {
  numeric: number;
  other: number;
  /** For each category column how many codes have a meaning: its values, and missing if that occurs. The next code stands
   *  for whatever training didn't see. */
  categories: number[];
  width: number;
}

type Of<Kind extends Feature['kind']> = Extract<Feature, { kind: Kind }>;
type Scaled = Of<'number' | 'date'>;

/** The features that can tell rows apart; a constant column can't. */
export function informative(features: readonly Feature[]): Feature[] {
  return features.filter(feature => {
    if (feature.kind === 'number' || feature.kind === 'date') {
      const [least, greatest] = [feature.quantiles[0], feature.quantiles.at(-1)];
      return least !== undefined && greatest !== undefined && (greatest > least || feature.nulls > 0);
    }
    if (feature.kind !== 'category') return true;
    return feature.values.length + Math.min(feature.nulls, 1) + Math.min(feature.rare ?? 0, 1) > 1;
  });
}

export function layoutOf(features: readonly Feature[]): Layout {
  const { numbers, dates, booleans, categories, texts } = grouped(features);
  const scaled = [...numbers, ...dates];
  const marked = scaled.filter(hasNulls).length;
  const other =
    marked + CYCLES * dates.length + booleans.length + texts.reduce((sum, { dimension }) => sum + dimension, 0);
  return {
    numeric: scaled.length,
    other,
    categories: categories.map(({ values, nulls }) => values.length + Math.min(nulls, 1)),
    width: scaled.length + other + categories.length,
  };
}

/** The columns as `layoutOf` says: [rows, width]. */
export function encode(features: readonly Feature[]): Tensor {
  const { numbers, dates, booleans, categories, texts } = grouped(features);
  const seconds = dates.length > 0 ? secondsOf(joined(dates.map(date => column(date, 'string')))) : undefined;
  const scaled = [...numbers.map(number => column(number, 'f64')), ...(seconds ? [seconds] : [])];
  const raw = scaled.length > 0 ? joined(scaled) : undefined;
  const parts = [
    ...(raw ? [scale(raw, [...numbers, ...dates])] : []),
    ...(raw ? marks(raw, [...numbers, ...dates]) : []),
    ...(seconds ? cyclesOf(seconds) : []),
    ...(booleans.length > 0 ? [signs(joined(booleans.map(boolean => column(boolean, 'f64'))))] : []),
    // Vectors of length 1: their entries come to a variance of about 1.
    ...texts.map(({ name, dimension }) => mul(input(name, [ROWS, dimension]), Math.sqrt(dimension))),
    ...categories.map(category => cast(codesOf(column(category, 'string'), category), 'f32')),
  ];
  return joined(parts);
}

// ---- helpers

const ROWS = 'rows';
const column = ({ name }: Feature, dtype: 'f64' | 'string'): Tensor => input(name, [ROWS, 1], dtype);
/** Of a date: sine and cosine of the year, the week and the day. */
const CYCLES = 6;

function grouped(features: readonly Feature[]) {
  const used = informative(features);
  const of = <Kind extends Feature['kind']>(kind: Kind) =>
    used.filter((feature): feature is Of<Kind> => feature.kind === kind);
  return {
    numbers: of('number'),
    dates: of('date'),
    booleans: of('boolean'),
    categories: of('category'),
    texts: of('text'),
  };
}

const hasNulls = ({ nulls }: { nulls: number }): boolean => nulls > 0;

/** Beside one another: names of lengths add up to names of their own, so the result is given its number. */
function joined(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  return first && parts.length === 1 ? first : concat(parts, 1);
}

/** (x − median) / (upper − lower quartile), bent so that nothing is beyond ±3; missing becomes 0. After Holzmüller et al.,
 *  "Better by Default" (2024). */
function scale(raw: Tensor, features: readonly Scaled[]): Tensor {
  const middles = constant(
    Float64Array.from(features, feature => quantile(feature, 0.5)),
    [1, features.length],
  );
  const factors = constant(Float64Array.from(features, factorOf), [1, features.length]);
  const scaled = mul(sub(raw, middles), factors);
  const bounded = cast(max(min(scaled, 1e6), -1e6), 'f32');
  const bent = div(bounded, sqrt(add(square(mul(bounded, 1 / 3)), 1)));
  // Also where infinite values leave no scale.
  return where(isNaN(scaled), 0, bent);
}

/** One over the distance of the quartiles, or over half of the range where they are equal; 0 for a constant. */
function factorOf(feature: Scaled): number {
  const quartiles = quantile(feature, 0.75) - quantile(feature, 0.25);
  const range = quantile(feature, 1) - quantile(feature, 0);
  return quartiles > 0 ? 1 / quartiles : range > 0 ? 2 / range : 0;
}

/** The value below which this share of the rows lies, between the two known ones. */
function quantile({ quantiles }: Scaled, share: number): number {
  const place = share * (quantiles.length - 1);
  const [low, high] = [quantiles[Math.floor(place)] ?? 0, quantiles[Math.ceil(place)] ?? 0];
  return low === high ? low : low + (high - low) * (place - Math.floor(place));
}

/** 1 where a value is missing, for the columns where that occurred. */
function marks(raw: Tensor, features: readonly Scaled[]): Tensor[] {
  const places = features.flatMap((feature, i) => (hasNulls(feature) ? [i] : []));
  return places.length === 0 ? [] : [cast(isNaN(gather(raw, integers(places), 1)), 'f32')];
}

const signs = (raw: Tensor): Tensor => cast(where(isNaN(raw), scalar(0, 'f64'), sub(mul(raw, 2), 1)), 'f32');

function codesOf(texts: Tensor, { values, nulls }: Of<'category'>): Tensor {
  const unseen = values.length + Math.min(nulls, 1);
  const missing = values.includes('') ? [] : [''];
  return codes(texts, { keys: [...values, ...missing], otherwise: unseen });
}

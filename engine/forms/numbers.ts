// Numbers between bounds as grammars (EBNF), digit by digit. Pure.

/** With `open`, the bound itself is outside. */
export interface Bound {
  value: number;
  open: boolean;
}

/** Behind a whole part: so few digits that no rounding of a parsed number crosses a bound. */
const FRACTION = '("." [0-9]{1,6})?';
const ZEROS = '("." "0"{1,6})?';
const MORE_THAN_NOTHING = '"." [0-9]{0,5} [1-9]';

/** Whole numbers from `least` to `most`, which are whole as well; null where there is none. */
export function integersBetween(least: number | null, most: number | null): string | null {
  const parts: string[] = [];
  if (most === null || most >= 0) parts.push(...wholes(Math.max(least ?? 0, 0), most));
  if (least === null || least < 0) {
    const [nearest, farthest] = [Math.max(1, -(most ?? -1)), least === null ? null : -least];
    const below = wholes(nearest, farthest);
    if (below.length > 0) parts.push(`"-" (${below.join(' | ')})`);
  }
  return parts.length > 0 ? parts.join(' | ') : null;
}

/** Numbers within bounds, which are whole; null where there is none. */
export function numbersBetween(lower: Bound | null, upper: Bound | null): string | null {
  const parts: string[] = [];
  if (!upper || upper.value > 0 || (upper.value === 0 && !upper.open))
    parts.push(...fromNothing(!lower || lower.value < 0 ? { value: 0, open: false } : lower, upper));
  if (!lower || lower.value < 0) {
    const nearest = !upper || upper.value > 0 ? { value: 0, open: false } : mirrored(upper);
    const below = fromNothing(nearest, lower && mirrored(lower));
    if (below.length > 0) parts.push(`"-" (${below.join(' | ')})`);
  }
  return parts.length > 0 ? parts.join(' | ') : null;
}

const mirrored = ({ value, open }: Bound): Bound => ({ value: -value, open });

/** Of a lower bound that is not negative. */
function fromNothing(lower: Bound, upper: Bound | null): string[] {
  const inside = (from: number): string[] =>
    wholes(from, upper && upper.value - 1).map(whole => `(${whole}) ${FRACTION}`);
  const top = upper && !upper.open ? [`"${upper.value}" ${ZEROS}`] : [];
  if (upper && upper.value <= lower.value) return upper.value === lower.value && !lower.open ? top : [];
  if (!lower.open) return [...inside(lower.value), ...top];
  return [`"${lower.value}" ${MORE_THAN_NOTHING}`, ...inside(lower.value + 1), ...top];
}

/** Alternatives for whole numbers from `least` on, which is not negative. */
function wholes(least: number, most: number | null): string[] {
  if (most !== null && most < least) return [];
  const from = String(least);
  const to = most === null ? null : String(most);
  const parts: string[] = [];
  const longest = to?.length ?? from.length;
  for (let length = from.length; length <= longest; length++) {
    const low = length === from.length ? from : `1${'0'.repeat(length - 1)}`;
    const high = length === to?.length ? to : '9'.repeat(length);
    parts.push(alike(low, high));
  }
  if (to === null) parts.push(`[1-9] [0-9]{${longest},}`);
  return parts;
}

/** Digits of one length between two others of it. */
function alike(low: string, high: string): string {
  const [first = '', last = ''] = [low.charAt(0), high.charAt(0)];
  const [lower, higher] = [low.slice(1), high.slice(1)];
  if (low === '') return '""';
  if (first === last) return lower === '' ? `"${first}"` : `"${first}" (${alike(lower, higher)})`;
  const rest = lower.length;
  const free = rest === 0 ? '' : ` [0-9]{${rest}}`;
  const wholeLow = /^0*$/.test(lower);
  const wholeHigh = /^9*$/.test(higher);
  const [from, to] = [Number(first) + (wholeLow ? 0 : 1), Number(last) - (wholeHigh ? 0 : 1)];
  const parts: string[] = [];
  if (!wholeLow) parts.push(`"${first}" (${alike(lower, '9'.repeat(rest))})`);
  if (from <= to) parts.push(`[${from}-${to}]${free}`);
  if (!wholeHigh) parts.push(`"${last}" (${alike('0'.repeat(rest), higher)})`);
  return parts.join(' | ');
}

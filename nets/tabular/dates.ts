// Dates as texts in ISO 8601, read within the graph.
import {
  add,
  cast,
  cos,
  div,
  floor,
  greater,
  isNaN,
  join,
  matches,
  mul,
  reshape,
  scalar,
  sin,
  slice,
  splitText,
  strings,
  sub,
  type Tensor,
  where,
} from '@vectorium/tensor';

/** A date, or a date and a time with 'T' or a blank between them; seconds, their fraction and the zone may be missing. */
const PATTERN = String.raw`\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d(:\d\d)?)?)?`;
const DAY = 86_400;

/** Seconds since 1970 in UTC for texts [rows, columns], f64; NaN where a text is no date. Texts without a zone are in UTC. */
export function secondsOf(texts: Tensor): Tensor {
  const valid = matches(texts, PATTERN);
  const safe = where(valid, texts, strings(['1970-01-01'], []));
  const [left, afterT] = parts(safe, { delimiter: 'T', fill: 'T' });
  const [date, afterBlank] = parts(left, { delimiter: ' ', fill: ' ' });
  const [local] = parts(join(afterT, afterBlank), { delimiter: 'Z', fill: 'Z' });
  const [beforePlus, plus] = parts(local, { delimiter: '+', fill: '+' });
  const [time, minus] = parts(beforePlus, { delimiter: '-', fill: '-' });
  const offset = sub(clock(plus), clock(minus));
  const seconds = sub(add(mul(daysOf(date), DAY), clock(time)), offset);
  return where(valid, seconds, scalar(NaN, 'f64'));
}

/** Where the year, the week and the day stand, as points on circles: [rows, columns] seconds become six f32 [rows, columns],
 *  zero where missing. */
export function cyclesOf(seconds: Tensor): Tensor[] {
  // 1970 began on a Thursday: four days after a Sunday.
  const turns = [div(seconds, 365.2425 * DAY), div(add(seconds, 4 * DAY), 7 * DAY), div(seconds, DAY)];
  const missing = isNaN(seconds);
  return turns.flatMap(turn => {
    const angle = cast(mul(sub(turn, floor(where(missing, scalar(0, 'f64'), turn))), 2 * Math.PI), 'f32');
    return [sin, cos].map(circle => where(missing, 0, circle(angle)));
  });
}

// ---- helpers

/** What lies before and behind the first delimiter; `fill` is appended, so that every text has two parts. */
function parts(texts: Tensor, { delimiter, fill }: { delimiter: string; fill: string }): [Tensor, Tensor] {
  const both = splitText(join(texts, fill), delimiter, 2);
  return [part(both, 0), part(both, 1)];
}

const part = (pieces: Tensor, index: number): Tensor =>
  reshape(slice(pieces, -1, { start: index, length: 1 }), pieces.shape.slice(0, -1));

/** Seconds of 'hh', 'hh:mm', 'hh:mm:ss.fff' or ''. */
function clock(texts: Tensor): Tensor {
  const pieces = splitText(join(join('0', texts), ':0:0:0'), ':', 3);
  const [hours, minutes, seconds] = [0, 1, 2].map(i => cast(part(pieces, i), 'f64')) as [Tensor, Tensor, Tensor];
  return add(add(mul(hours, 3600), mul(minutes, 60)), seconds);
}

/** Days since 1970 of 'yyyy-mm-dd' by Hinnant's "chrono-compatible low-level date algorithms": years begin in March, so that
 *  the leap day is their last. */
function daysOf(texts: Tensor): Tensor {
  const pieces = splitText(texts, '-', 3);
  const [year, month, day] = [0, 1, 2].map(i => cast(part(pieces, i), 'i64')) as [Tensor, Tensor, Tensor];
  const early = cast(greater(3, month), 'i64');
  const years = sub(year, early);
  const months = sub(add(month, mul(early, 12)), 3);
  const dayOfYear = sub(add(div(add(mul(months, 153), 2), 5), day), 1);
  const leaps = add(sub(div(years, 4), div(years, 100)), div(years, 400));
  return cast(sub(add(add(mul(years, 365), leaps), dayOfYear), 719_468), 'f64');
}

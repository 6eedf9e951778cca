// Formats of strings as grammars (EBNF), each narrower than its standard where that is simpler: every text of them is valid.

const two = (most: number): string =>
  `([0-${Math.floor(most / 10) - 1}] [0-9] | "${Math.floor(most / 10)}" [0-${most % 10}])`;
/** Days that every year has. */
const date =
  '[0-9]{4} "-" (("01" | "03" | "05" | "07" | "08" | "10" | "12") "-" ("0" [1-9] | [1-2] [0-9] | "30" | "31") | ("04" | "06" | "09" | "11") "-" ("0" [1-9] | [1-2] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8]))';
const hours = '([0-1] [0-9] | "2" [0-3])';
const time = `${hours} ":" ${two(59)} ":" ${two(59)} ("." [0-9]{1,6})? ("Z" | [+-] ${hours} ":" ${two(59)})`;
const word = '[a-zA-Z0-9]{1,20}';
const byte = '("0" | [1-9] [0-9]? | "1" [0-9] [0-9] | "2" [0-4] [0-9] | "25" [0-5])';

export const FORMATS: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date} "T" ${time}`,
  uuid: '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
  email: `${word} ([._-] ${word}){0,3} "@" ${word} ("." ${word}){0,2} "." [a-z]{2,10}`,
  ipv4: `${byte} "." ${byte} "." ${byte} "." ${byte}`,
};

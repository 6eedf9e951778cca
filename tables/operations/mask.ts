// Finds and masks what tells who somebody is: addresses, numbers of phones, cards and accounts.
import { createHash } from 'node:crypto';

export const piiKinds = ['email', 'iban', 'card', 'ip', 'phone'] as const;
export type PiiKind = (typeof piiKinds)[number];

/** Bounded repetitions only, so that no text makes them slow. The order is the order of the search. */
const patterns: Record<PiiKind, { pattern: RegExp; holds: (found: string) => boolean }> = {
  email: {
    pattern: /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu,
    holds: () => true,
  },
  iban: { pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b/gi, holds: isIban },
  card: { pattern: /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]\d)/g, holds: isCard },
  ip: {
    pattern: /(?<![\d.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:]))/gi,
    holds: isIp,
  },
  phone: { pattern: /(?<![\w.+])(?:\+|00)?\(?\d(?:[ ()./-]{0,2}\d){7,14}(?![\w-])/g, holds: isPhone },
};

/** A function that masks what it finds: as `[EMAIL]`, or by the first 16 hex digits of its SHA-256. The same for the same arguments. */
export function maskFunction(kinds: readonly PiiKind[], method: 'redact' | 'hash'): (text: string) => string {
  const key = `${method} ${kinds.join(' ')}`;
  const known = made.get(key);
  if (known) return known;
  const mask = (text: string): string =>
    kinds.reduce(
      (masked, kind) =>
        masked.replaceAll(patterns[kind].pattern, found => {
          if (!patterns[kind].holds(found)) return found;
          return method === 'redact'
            ? `[${kind.toUpperCase()}]`
            : createHash('sha256').update(found).digest('hex').slice(0, 16);
        }),
      text,
    );
  made.set(key, mask);
  return mask;
}

const made = new Map<string, (text: string) => string>();

/** Luhn's check (ISO/IEC 7812). */
function isCard(found: string): boolean {
  const digits = found.replaceAll(/\D/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0 && !/^0+$/.test(digits);
}

/** ISO 13616: the first four to the end, letters as 10 to 35, the remainder by 97 is 1. */
function isIban(found: string): boolean {
  const compact = found.replaceAll(' ', '').toUpperCase();
  const moved = compact.slice(4) + compact.slice(0, 4);
  let remainder = 0;
  for (const character of moved) {
    const value = Number.parseInt(character, 36);
    remainder = (value > 9 ? remainder * 100 + value : remainder * 10 + value) % 97;
  }
  return remainder === 1;
}

function isIp(found: string): boolean {
  if (!found.includes(':')) return found.split('.').every(part => Number(part) < 256);
  const groups = found.split(':');
  // Times of day (12:30:45) are no addresses: without `::` an address has eight groups.
  return found.includes('::')
    ? found.indexOf('::') === found.lastIndexOf('::') && found.length > 3
    : groups.length === 8 && !groups.includes('');
}

/** Of at least eight digits, and written as nobody writes a date or a plain number. */
function isPhone(found: string): boolean {
  if (/^\d{4}[-./]\d{1,2}[-./]\d{1,2}/.test(found) || /^\d{1,2}[-./]\d{1,2}[-./]\d{4}$/.test(found)) return false;
  return /^(?:\+|00|0|\()/.test(found) || /\d[ ()./-]+\d/.test(found);
}

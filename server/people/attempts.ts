// Slows down those who guess: tries are counted in fixed windows, in one place for all server processes.
import { createHash } from 'node:crypto';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';

export interface AttemptRule {
  /** What is counted, e.g. `address/sign-in`. */
  name: string;
  /** Who tries: an address, or an e-mail address. Kept as a hash. */
  subject: string;
  most: number;
  windowSeconds: number;
}

export interface Attempts {
  /** Counts one try; answers the seconds to wait when there were too many, else null. */
  count(rule: AttemptRule, now?: Date): Promise<number | null>;
  /** Forgets the tries: the last one succeeded. */
  forget(rule: Pick<AttemptRule, 'name' | 'subject'>): Promise<void>;
}

export function createAttempts(database: Pick<Database, 'query'>): Attempts {
  return {
    async count({ name, subject, most, windowSeconds }, now = new Date()) {
      const [row] = await database.query<{ count: number; ends_at: Date }>(
        `INSERT INTO attempts AS a (subject, count, ends_at) VALUES ($1, 1, $3::timestamptz)
         ON CONFLICT (subject) DO UPDATE SET
           count = CASE WHEN a.ends_at <= $2::timestamptz THEN 1 ELSE a.count + 1 END,
           ends_at = CASE WHEN a.ends_at <= $2::timestamptz THEN excluded.ends_at ELSE a.ends_at END
         RETURNING count, ends_at`,
        [nameOf(name, subject), now, new Date(now.getTime() + 1000 * windowSeconds)],
      );
      if (!row || row.count <= most) return null;
      return Math.max(1, Math.ceil((row.ends_at.getTime() - now.getTime()) / 1000));
    },

    async forget({ name, subject }) {
      await database.query('DELETE FROM attempts WHERE subject = $1', [nameOf(name, subject)]);
    },
  };
}

/** Counts one try by each rule, up to the first that has too many. Throws TOO_MANY_ATTEMPTS. */
export async function countAttempts(attempts: Pick<Attempts, 'count'>, rules: AttemptRule[]): Promise<void> {
  for (const rule of rules) {
    const seconds = await attempts.count(rule);
    if (seconds === null) continue;
    const message = `Too many attempts; try again in ${seconds} seconds`;
    throw new ApiError('TOO_MANY_ATTEMPTS', { message, retryAfterSeconds: seconds });
  }
}

/** A rule about the place that a request came from. */
export function byAddress(
  { ip }: { ip: string },
  rule: Pick<AttemptRule, 'name' | 'most' | 'windowSeconds'>,
): AttemptRule {
  return { ...rule, name: `address/${rule.name}`, subject: placeOf(ip) };
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one of these has all of them. */
function placeOf(ip: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip) ?? [];
  if (mapped !== undefined) return mapped;
  const url = `http://[${ip.split('%', 1)[0]}]`;
  if (!ip.includes(':') || !URL.canParse(url)) return ip;
  const [before = '', after] = new URL(url).hostname.slice(1, -1).split('::', 2);
  const [head, tail] = [groupsOf(before), groupsOf(after ?? '')];
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function nameOf(name: string, subject: string): string {
  return createHash('sha256').update(`${name}\n${subject.toLowerCase()}`).digest('base64url');
}

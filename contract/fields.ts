// Building blocks of the bodies: texts, optional fields, and the rule that tells a wrong type from a wrong value.
//
// Two kinds of fault have two statuses: a field that is missing or has the wrong JSON type is VALIDATION_ERROR (422),
// one of the right type with a value that isn't allowed is a 400. The kind follows from Zod's issue code; a custom
// check names its error code in `params.code`.
import { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export const maxTextCharacters = 1_000_000;
export const maxBatchCharacters = 10_000_000;

/** A field that may be left out or null, which means the same. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform(value => value ?? undefined);
}

/** A field that has `value` when it is left out or null. */
export function withDefault<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) {
  return schema
    .nullish()
    .meta({ default: value })
    .transform((given): z.output<Schema> => (given ?? value) as z.output<Schema>);
}

/** The number of Unicode code points of a well-formed text. */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--;
  return count;
}

/** Adds a fault with an error code of its own. */
function fault(code: ErrorCode, message: string, path: PropertyKey[] = []) {
  return { code: 'custom' as const, message, path, params: { code } };
}

const blank = /^\s*$/;

/** A text to be turned into a vector: 1 to 1,000,000 characters, not only white space, proper Unicode. */
export const text = z
  .string()
  .superRefine((value, context) => {
    if (!value.isWellFormed())
      context.addIssue(fault('INVALID_PARAMETER', 'holds half of a surrogate pair, which is no character'));
    else if (blank.test(value))
      context.addIssue(fault('EMPTY_TEXT', value === '' ? 'is empty' : 'holds nothing but white space'));
    else if (value.length > maxTextCharacters && countCharacters(value) > maxTextCharacters)
      context.addIssue(
        fault('TEXT_TOO_LONG', `has ${countCharacters(value)} characters; at most ${maxTextCharacters} are taken`),
      );
  })
  .meta({ minLength: 1, maxLength: maxTextCharacters });

/** Refuses texts that are too long together, naming the first that doesn't fit. */
function checkTotal(values: readonly string[], context: z.RefinementCtx): void {
  let total = 0;
  for (const [index, value] of values.entries()) {
    total += countCharacters(value);
    if (total <= maxBatchCharacters) continue;
    const message = `is where the texts together pass ${maxBatchCharacters} characters`;
    context.addIssue(fault('PAYLOAD_TOO_LARGE', message, [index]));
    return;
  }
}

/** Faults in a list after which the rest isn't looked at: describing one costs as much as checking a thousand good items. */
const maxListFaults = 20;

/** A list of at least one `item`. */
export function listOf<Item extends z.ZodType>(item: Item, empty: string) {
  return z
    .array(z.unknown())
    .min(1, empty)
    .transform((values, context): z.output<Item>[] => {
      const items: z.output<Item>[] = [];
      let faults = 0;
      for (const [index, value] of values.entries()) {
        const result = item.safeParse(value, { reportInput: true });
        if (result.success) items.push(result.data);
        else faults += passOn(result.error.issues, context, [index]);
        if (faults >= maxListFaults) break;
      }
      return faults === 0 ? items : z.NEVER;
    })
    .meta(z.toJSONSchema(z.array(item).min(1), { io: 'input' }));
}

/** Reports the faults that an inner schema found at `path`; gives their number. */
export function passOn(issues: readonly z.core.$ZodIssue[], context: z.RefinementCtx, path: PropertyKey[]): number {
  for (const issue of issues.slice(0, maxListFaults))
    context.issues.push({ ...issue, path: [...path, ...issue.path] } as (typeof context.issues)[number]);
  return issues.length;
}

/** At least one text, each as `text`, at most 10,000,000 characters together. */
export const texts = listOf(text, 'needs at least one text').superRefine(checkTotal);

/** A short string that every database can keep: proper Unicode without NUL. */
export function line(maxCharacters: number) {
  return z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(maxCharacters)
    .refine(value => value.isWellFormed() && !value.includes('\0'), 'holds characters that are not allowed');
}

/** What a person or an account is called. It stands in mails to strangers, so it has neither a second line nor a link. */
export function properName(maxCharacters: number) {
  return line(maxCharacters).refine(
    value => !/[\p{Cc}\u2028\u2029]|:\/\//u.test(value),
    'must be one line without ://',
  );
}

/** `true` or `false` in a query. */
export const flag = z.enum(['true', 'false', 'True', 'False', '1', '0']).transform(value => /^(true|1)$/i.test(value));

/** A whole number in a query. */
export function wholeNumber(least: number, most: number) {
  return z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ type: 'integer', minimum: least, maximum: most });
}

/** An amount of US dollars. */
export const dollars = z.number().min(0).max(1_000_000);

/** A moment, with its offset from UTC. */
export const instant = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T00:00:00Z' })
  // An offset can carry a time over the last year that ISO 8601 writes in four digits.
  .refine(value => new Date(value).getUTCFullYear() <= 9999, { error: 'must be before the year 10000' });

/** The query of a list that comes in pages. */
export const page = z.object({
  limit: withDefault(wholeNumber(1, 1000), 100),
  after: optional(line(100).meta({ description: 'The `id` of the last item of the page before.' })),
});

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ data: z.array(item), has_more: z.boolean() });
}

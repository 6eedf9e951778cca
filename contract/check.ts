// Checks a value against a schema and says in plain sentences what is wrong, with the error code that it deserves.
import { z } from 'zod';
import { type ErrorCode, errorKinds } from './errors.ts';

export interface Refusal {
  code: ErrorCode;
  /** One sentence that begins with the field: `texts[3] is empty`. */
  message: string;
  param?: string;
  errors?: { path: string; message: string }[];
}

export type Checked = { ok: true; value: unknown } | { ok: false; refusal: Refusal };

type Issue = z.core.$ZodIssue;

/** More faults than these are not listed. */
const listed = 20;

/** The checked value, or the reason of the refusal: VALIDATION_ERROR if any field has the wrong shape, else the first wrong value's code. */
export function check(schema: z.ZodType, value: unknown, whole = 'the body'): Checked {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  const issues: Issue[] = result.error.issues.map(sharpest);
  const misshapen = issues.filter(isShape);
  const first = misshapen[0] ?? issues[0];
  if (!first) throw new Error('a refusal without an issue');
  const sentence = (issue: Issue) => `${pathName(issue.path) || whole} ${explain(issue)}`;
  const param = pathName(first.path);
  const named = param === '' ? {} : { param };
  if (misshapen.length === 0)
    return { ok: false, refusal: { code: codeOf(first), message: sentence(first), ...named } };
  const errors = misshapen.slice(0, listed).map(issue => ({ path: pathName(issue.path), message: sentence(issue) }));
  return { ok: false, refusal: { code: 'VALIDATION_ERROR', message: sentence(first), ...named, errors } };
}

/** In a union, the fault of the branch that came furthest says more than the union's. */
function sharpest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.flat().toSorted((one, other) => other.path.length - one.path.length)[0];
  if (!inner || (inner.path.length === 0 && isShape(inner))) return issue;
  return sharpest({ ...inner, path: [...issue.path, ...inner.path] } as Issue);
}

/** Whether a field is missing or of the wrong type, in contrast to having a value that isn't allowed. */
function isShape(issue: Issue): boolean {
  if (issue.code === 'invalid_value') return !issue.values.some(value => typeof value === typeof issue.input);
  return ['invalid_type', 'unrecognized_keys', 'invalid_union', 'invalid_key', 'invalid_element'].includes(issue.code);
}

function codeOf(issue: Issue): ErrorCode {
  const code: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  return isErrorCode(code) ? code : 'INVALID_PARAMETER';
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorKinds, code);
}

/** `texts[3].name` */
function pathName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, step) => {
    if (typeof step === 'number') return `${before}[${step}]`;
    const name = String(step).slice(0, 64);
    return before === '' ? name : `${before}.${name}`;
  }, '');
}

function explain(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required';
      return `must be ${kindName(issue.expected)}, not ${kindOf(issue.input)}`;
    case 'invalid_value':
      if (issue.input === undefined) return 'is required';
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `has unknown fields: ${issue.keys
        .slice(0, 5)
        .map(key => key.slice(0, 64))
        .join(', ')}`;
    case 'too_small':
    case 'too_big':
      return issue.message.startsWith('Too ') || issue.message.startsWith('Invalid') ? bound(issue) : issue.message;
    default:
      return issue.message;
  }
}

function bound(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small';
  const edge = small ? issue.minimum : issue.maximum;
  if (Math.abs(Number(edge)) === Number.MAX_SAFE_INTEGER) return 'is far out of range';
  const side = `${issue.inclusive === false ? (small ? 'more than' : 'less than') : small ? 'at least' : 'at most'} ${edge}`;
  if (issue.origin === 'string') return `must have ${side} characters`;
  if (issue.origin === 'array') return `must have ${side} items`;
  return `must be ${side}`;
}

const kindNames: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  record: 'an object',
};

function kindName(expected: string): string {
  return kindNames[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number')
    return Number.isInteger(value) ? 'a number' : Number.isFinite(value) ? 'a fraction' : 'a number that large';
  return kindName(typeof value);
}

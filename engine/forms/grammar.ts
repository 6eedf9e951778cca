// JSON schemas as grammars (xgrammar's EBNF): every text of the grammar is JSON that the schema allows. Pure.
//
// Why not the library's own way from a schema to a grammar: it lets control characters into strings with a length, writes "0?5" for
// numbers with bounds, breaks on quotes in names and passes over what it doesn't know. Here a keyword is either held or refused.
//
// 1. A grammar may be narrower than its schema, never wider: no fields but those that are named, in the order of the schema; one
//    way of writing white space, `{"a": 1, "b": [1, 2]}`; no `\u` in strings.
// 2. A keyword without its type means its type: `properties` an object, `minLength` a string.
// 3. What a schema asks for and a grammar can't count (`uniqueItems`, `multipleOf`, `not`, `oneOf` …) is refused with its place.
import { FORMATS } from './formats.ts';
import { type Bound, integersBetween, numbersBetween } from './numbers.ts';

export class FormRefused extends Error {
  constructor(at: string, what: string) {
    super(`${at === '' ? 'The schema' : `The schema at ${at}`} ${what}`);
    this.name = 'FormRefused';
  }
}

type Json = null | boolean | number | string | Json[] | Schema;
interface Schema {
  [name: string]: Json | undefined;
}
type Type = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null';

const mostParts = 2000;
/** A string with bounds takes the compiler some 20 ms for each of its places. */
const longestString = 100;
const mostItems = 1000;
const greatestBound = 1e9;

const ANNOTATIONS = new Set(
  '$schema $id $comment $defs definitions title description default example examples deprecated readOnly writeOnly'.split(
    ' ',
  ),
);
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
const KEYWORDS: Readonly<Record<Type, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'format'],
  integer: BOUNDS,
  number: BOUNDS,
  boolean: [],
  null: [],
};

/** Rules that any grammar may use. In a string only characters that need it are escaped, so that each is one of its length. */
const COMMON = String.raw`any ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member (", " member)*)? "}"
member ::= string ": " any
array ::= "[" (any (", " any)*)? "]"
string ::= "\"" character* "\""
character ::= [^"\\\x00-\x1f] | "\\" ["\\/bfnrt]
integer ::= "-"? ("0" | [1-9] [0-9]*)
number ::= integer ("." [0-9]+)? ([eE] [+-]? [0-9]+)?`;

/** Throws FormRefused. */
export function grammarOf(schema: unknown): string {
  return new Grammar(schema as Json).write();
}

class Grammar {
  readonly #root: Json;
  readonly #rules = new Map<string, string>();
  /** Rules of schemas by their place, so that one may contain itself. */
  readonly #places = new Map<string, string>();

  constructor(root: Json) {
    this.#root = root;
  }

  write(): string {
    const root = this.#rule('', this.#root);
    return [`root ::= ${root}`, ...[...this.#rules].map(([name, body]) => `${name} ::= ${body}`), COMMON].join('\n');
  }

  /** The rule of the schema at a place, such as `/properties/a`; `within` are places that are this one and nothing more. */
  #rule(at: string, schema: Json, within: readonly string[] = []): string {
    if (within.includes(at)) throw new FormRefused(at, 'refers to itself alone');
    const known = this.#places.get(at);
    if (known) return known;
    if (this.#places.size >= mostParts) throw new FormRefused('', `has more than ${mostParts} parts`);
    const name = `p${this.#places.size}`;
    this.#places.set(at, name);
    this.#rules.set(name, this.#body(at, schema, [...within, at]));
    return name;
  }

  #body(at: string, schema: Json, within: readonly string[]): string {
    if (schema === true) return 'any';
    if (!isObject(schema)) throw new FormRefused(at, schema === false ? 'allows nothing' : 'is no schema');
    const asked = Object.keys(schema).filter(name => !ANNOTATIONS.has(name));
    const alone = (name: string, ...beside: string[]): void => {
      const other = asked.find(each => each !== name && !beside.includes(each));
      if (other) throw new FormRefused(at, `has ${other} beside ${name}, which is not supported`);
    };
    const { $ref: reference, anyOf, allOf } = schema;
    if (typeof reference === 'string') {
      alone('$ref');
      return this.#rule(reference.slice(1), this.#target(at, reference), within);
    }
    if (anyOf !== undefined) {
      alone('anyOf');
      const each = listOf(at, 'anyOf', anyOf).map((one, i) => this.#rule(`${at}/anyOf/${i}`, one, within));
      return each.join(' | ');
    }
    if (allOf !== undefined) {
      alone('allOf');
      const [only, ...others] = listOf(at, 'allOf', allOf);
      if (only === undefined || others.length > 0) throw new FormRefused(at, 'has more than one schema in allOf');
      return this.#rule(`${at}/allOf/0`, only, within);
    }
    const types = typesOf(at, schema);
    const name = 'const' in schema ? 'const' : 'enum';
    if (schema[name] !== undefined) {
      alone(name, 'type');
      const values = name === 'const' ? [schema[name] ?? null] : listOf(at, name, schema[name] ?? null);
      const fitting = values.filter(value => types.length === 0 || types.some(type => isOfType(value, type)));
      if (fitting.length === 0) throw new FormRefused(at, `has in ${name} no value of its type`);
      return fitting.map(value => literal(written(value))).join(' | ');
    }
    const known = new Set(['type', ...types.flatMap(type => KEYWORDS[type])]);
    const strange = asked.find(each => !known.has(each) && !(each === 'uniqueItems' && schema[each] === false));
    if (strange) throw new FormRefused(at, `has ${strange}, which is not supported`);
    return types.length === 0 ? 'any' : types.map(type => this.#typed(at, schema, type)).join(' | ');
  }

  #target(at: string, reference: string): Json {
    const missing = new FormRefused(at, `has a $ref to ${reference}, which is not in the schema`);
    if (!/^#(\/|$)/.test(reference)) throw missing;
    let found: Json | undefined = this.#root;
    for (const step of reference.split('/').slice(1)) {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      found = Array.isArray(found)
        ? found[Number(name)]
        : isObject(found) && Object.hasOwn(found, name)
          ? found[name]
          : undefined;
    }
    if (found === undefined) throw missing;
    return found;
  }

  #typed(at: string, schema: Schema, type: Type): string {
    switch (type) {
      case 'object':
        return this.#object(at, schema);
      case 'array':
        return this.#array(at, schema);
      case 'string':
        return this.#string(at, schema);
      case 'integer':
      case 'number':
        return this.#number(at, schema, type);
      case 'boolean':
        return '"true" | "false"';
      case 'null':
        return '"null"';
    }
  }

  #object(at: string, { properties = {}, required = [], additionalProperties: more = true }: Schema): string {
    if (!isObject(properties)) throw new FormRefused(`${at}/properties`, 'is no object');
    if (!Array.isArray(required)) throw new FormRefused(`${at}/required`, 'is no list');
    const other = (): string => (more === true ? 'any' : this.#rule(`${at}/additionalProperties`, more));
    const members = Object.entries(properties).map(([name, schema = true]) => ({
      text: `${literal(`${JSON.stringify(name)}: `)} ${this.#rule(`${at}/properties/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, schema)}`,
      needed: required.includes(name),
    }));
    for (const name of required) {
      if (typeof name === 'string' && Object.hasOwn(properties, name)) continue;
      if (more === false) throw new FormRefused(at, `requires ${JSON.stringify(name)}, which it doesn't allow`);
      members.push({ text: `${literal(`${JSON.stringify(name)}: `)} ${other()}`, needed: true });
    }
    if (members.length === 0) {
      if (more === false) return '"{}"';
      const value = other();
      return `"{" (string ": " ${value} (", " string ": " ${value})*)? "}"`;
    }
    // What may follow behind a member, and what when there is none yet.
    let [behind, first] = ['""', '""'];
    for (const { text, needed } of members.toReversed()) {
      const [rest, begin] = [this.#named(behind), this.#named(first)];
      behind = needed ? `", " ${text} ${rest}` : `", " ${text} ${rest} | ${rest}`;
      first = needed ? `${text} ${rest}` : `${text} ${rest} | ${begin}`;
    }
    return `"{" ${this.#named(first)} "}"`;
  }

  #array(at: string, { items = true, prefixItems, minItems = 0, maxItems }: Schema): string {
    const [least, most] = [
      bound(at, 'minItems', minItems),
      maxItems === undefined ? null : bound(at, 'maxItems', maxItems),
    ];
    if (Math.max(least, most ?? 0) > mostItems) throw new FormRefused(at, `bounds its items by more than ${mostItems}`);
    if (most !== null && most < least) throw new FormRefused(at, 'has a minItems above its maxItems');
    if (prefixItems !== undefined) {
      const first = listOf(at, 'prefixItems', prefixItems);
      if (least > first.length || (most !== null && most < first.length))
        throw new FormRefused(at, 'has bounds that its prefixItems do not meet');
      return `"[" ${first.map((each, i) => this.#rule(`${at}/prefixItems/${i}`, each)).join(' ", " ')} "]"`;
    }
    if (most === 0) return '"[]"';
    const item = items === true ? 'any' : this.#rule(`${at}/items`, items);
    const more = `(", " ${item}){${Math.max(0, least - 1)},${most === null ? '' : most - 1}}`;
    return least > 0 ? `"[" ${item} ${more} "]"` : `"[" (${item} ${more})? "]"`;
  }

  #string(at: string, { minLength, maxLength, format }: Schema): string {
    if (format !== undefined) {
      const known = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
      if (known === undefined)
        throw new FormRefused(
          at,
          `has the format ${JSON.stringify(format)}; those that can be held are ${Object.keys(FORMATS).join(', ')}`,
        );
      if (minLength !== undefined || maxLength !== undefined) throw new FormRefused(at, 'has a format and a length');
      return `"\\"" ${known} "\\""`;
    }
    if (minLength === undefined && maxLength === undefined) return 'string';
    const least = bound(at, 'minLength', minLength ?? 0);
    const most = maxLength === undefined ? null : bound(at, 'maxLength', maxLength);
    if (Math.max(least, most ?? 0) > longestString)
      throw new FormRefused(
        at,
        `bounds the length of a string by more than ${longestString}: leave that out, and limit the tokens`,
      );
    if (most !== null && most < least) throw new FormRefused(at, 'has a minLength above its maxLength');
    const needed = ' character'.repeat(least);
    return `"\\""${needed} ${most === null ? 'character*' : this.#upTo(most - least)} "\\""`;
  }

  /** Up to so many characters: one rule for each number, which all strings share. */
  #upTo(count: number): string {
    for (let i = 0; i <= count; i++) this.#rules.set(`upto${i}`, i === 0 ? '""' : `"" | character upto${i - 1}`);
    return `upto${count}`;
  }

  #number(at: string, schema: Schema, type: 'integer' | 'number'): string {
    const given = BOUNDS.filter(name => schema[name] !== undefined);
    if (given.length === 0) return type;
    const of = (name: string): number | null => {
      const value = schema[name];
      if (value === undefined) return null;
      if (typeof value !== 'number' || Math.abs(value) > greatestBound)
        throw new FormRefused(at, `has a ${name} that is no number, or beyond ${greatestBound}`);
      if (type === 'number' && !Number.isInteger(value)) throw new FormRefused(at, `has a ${name} that is not whole`);
      return value;
    };
    const [lower, upper] = [
      tighter(of('minimum'), of('exclusiveMinimum'), 1),
      tighter(of('maximum'), of('exclusiveMaximum'), -1),
    ];
    const found =
      type === 'number'
        ? numbersBetween(lower, upper)
        : integersBetween(
            lower && (lower.open ? Math.floor(lower.value) + 1 : Math.ceil(lower.value)),
            upper && (upper.open ? Math.ceil(upper.value) - 1 : Math.floor(upper.value)),
          );
    if (found === null) throw new FormRefused(at, 'has bounds that leave no number');
    return found;
  }

  /** A rule of its own for a body, unless it is nothing. */
  #named(body: string): string {
    if (body === '""') return body;
    const name = `m${this.#rules.size}`;
    this.#rules.set(name, body);
    return name;
  }
}

function isObject(value: Json | undefined): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(at: string, name: string, value: Json): Json[] {
  if (!Array.isArray(value) || value.length === 0) throw new FormRefused(at, `has in ${name} no list of something`);
  return value;
}

function bound(at: string, name: string, value: Json): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new FormRefused(at, `has a ${name} that is no whole number`);
  return value;
}

/** The types that a schema names or means; none where it leaves them open. */
function typesOf(at: string, { type, ...schema }: Schema): Type[] {
  const known = Object.keys(KEYWORDS) as Type[];
  if (type !== undefined) {
    return (Array.isArray(type) ? type : [type]).map(
      name => known.find(each => each === name) ?? refused(at, `has a type that there is not, ${JSON.stringify(name)}`),
    );
  }
  return known.filter(name => name !== 'integer' && KEYWORDS[name].some(keyword => schema[keyword] !== undefined));
}

function refused(at: string, what: string): never {
  throw new FormRefused(at, what);
}

function isOfType(value: Json, type: Type): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  return type === 'object' ? isObject(value) : typeof value === type;
}

/** Of two bounds the one that leaves less; `direction` is 1 for lower ones. */
function tighter(closed: number | null, open: number | null, direction: 1 | -1): Bound | null {
  if (open !== null && (closed === null || direction * open >= direction * closed)) return { value: open, open: true };
  return closed === null ? null : { value: closed, open: false };
}

/** JSON as answers write it. */
function written(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, each = null]) => `${JSON.stringify(name)}: ${written(each)}`)
    .join(', ')}}`;
}

const literal = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

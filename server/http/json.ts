// JSON text to a checked value, with bounds that hold before parsing begins.
//
// V8 parses 40 MB of '[' for nine seconds and ten million empty lists for three. A scan of the bytes stops at the first
// level or value too many, before any of that; it skips strings by searching for their closing quote, so a body that is
// mostly text costs next to nothing. What is left is bounded work.
import { isUtf8 } from 'node:buffer';
import { type Checked, type ErrorCode, type Route, check } from '@vectorium/contract';

const maxDepth = 64;
const defaultMaxValues = 20_000;

/** Parses `bytes` and checks the value against the body of `route`. */
export function readJson(bytes: Buffer, route: Route): Checked {
  if (!route.body) return { ok: true, value: undefined };
  const json = bytes.subarray(startsWithMark(bytes) ? 3 : 0);
  if (json.length === 0) return check(route.body, undefined);
  if (!isUtf8(json)) return refused('INVALID_JSON', 'the body is not UTF-8');
  const bound = passedBound(json, route.maxBodyValues ?? defaultMaxValues);
  if (bound) return bound;
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch (error) {
    return refused('INVALID_JSON', `the body is not JSON${whereOf(error)}`);
  }
  return check(route.body, value);
}

function passedBound(json: Buffer, maxValues: number): Checked | null {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case 0x22: {
        at = endOfString(json, at);
        break;
      }
      case 0x5b:
      case 0x7b: {
        depth++;
        values++;
        if (depth > maxDepth) return refused('INVALID_JSON', `the body is nested deeper than ${maxDepth} levels`);
        break;
      }
      case 0x5d:
      case 0x7d: {
        depth--;
        break;
      }
      case 0x2c: {
        values++;
        break;
      }
    }
    if (values > maxValues) return refused('PAYLOAD_TOO_LARGE', `the body has more than ${maxValues} values`);
  }
  return null;
}

/** The place of the quote that closes the string opened at `start`, or the end. */
function endOfString(json: Buffer, start: number): number {
  for (let quote = json.indexOf(0x22, start + 1); quote !== -1; quote = json.indexOf(0x22, quote + 1)) {
    let slash = quote - 1;
    while (json[slash] === 0x5c) slash--;
    if ((quote - slash) % 2 === 1) return quote;
  }
  return json.length;
}

function startsWithMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** V8's message quotes the body; only the position is taken from it. */
function whereOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return `: unexpected character at position ${position}`;
  return message.includes('end of JSON') ? ': it ends too early' : '';
}

function refused(code: ErrorCode, message: string): Checked {
  return { ok: false, refusal: { code, message } };
}

// Follows one JSON value through pieces of a body, byte by byte, and refuses what the grammar (RFC 8259) or UTF-8 doesn't allow.
//
// It accepts exactly what JSON.parse accepts in well-formed UTF-8, down to a depth. Nothing is kept: whoever wants the value
// keeps the bytes.
import { notJson, unexpected } from './faults.ts';

/** Levels of lists and objects inside each other, the body's own object among them. */
export const maxDepth = 64;

type State =
  | 'value'
  | 'first item'
  | 'first key'
  | 'key'
  | 'colon'
  | 'after'
  | 'string'
  | 'escape'
  | 'hex'
  | 'rest of a character'
  | 'literal'
  | 'minus'
  | 'zero'
  | 'integer'
  | 'point'
  | 'fraction'
  | 'exponent sign'
  | 'exponent first'
  | 'exponent'
  | 'done';

export class ValueScanner {
  #state: State = 'value';
  /** Closing brackets that are owed, the innermost last. */
  #open: number[] = [];
  /** Whether the string under way is a key of an object. */
  #isKey = false;
  #hexLeft = 0;
  /** Bytes that the character under way still needs, and the bounds of the next one. */
  #restLeft = 0;
  #restLow = 0x80;
  #restHigh = 0xbf;
  /** What the literal under way must go on with. */
  #literal = '';
  #depthAbove = 0;

  /** Forgets the value before; `depthAbove` levels are around the new one. */
  begin(depthAbove: number): void {
    this.#state = 'value';
    this.#open = [];
    this.#isKey = false;
    this.#depthAbove = depthAbove;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Where in `piece` the value ends, or its length when the value goes on. `base` is the piece's own place in the body. */
  take(piece: Uint8Array, start: number, base: number): number {
    let at = start;
    for (; at < piece.length && this.#state !== 'done'; at++) {
      const byte = piece[at] ?? 0;
      if (this.#state === 'string') {
        at = this.#string(piece, at, base);
        continue;
      }
      // The byte after a number belongs to what comes next.
      if (this.#endsNumber(byte)) {
        this.#finish();
        at--;
        continue;
      }
      this.#step(byte, base + at);
    }
    return at;
  }

  /** Goes over a string's plain bytes; gives the place of the last one that was taken. */
  #string(piece: Uint8Array, start: number, base: number): number {
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] ?? 0;
      if (byte === 0x22) {
        if (this.#isKey) this.#state = 'colon';
        else this.#finish();
        return at;
      }
      if (byte === 0x5c) {
        this.#state = 'escape';
        return at;
      }
      if (byte < 0x20) throw unexpected(byte, base + at, 'a character of a string');
      if (byte >= 0x80) {
        this.#beginCharacter(byte, base + at);
        return at;
      }
    }
    return piece.length;
  }

  #step(byte: number, offset: number): void {
    switch (this.#state) {
      case 'value':
      case 'first item':
        if (isSpace(byte)) return;
        if (byte === 0x5d && this.#state === 'first item') return this.#close();
        return this.#beginValue(byte, offset);
      case 'first key':
      case 'key':
        if (isSpace(byte)) return;
        if (byte === 0x7d && this.#state === 'first key') return this.#close();
        if (byte !== 0x22) throw unexpected(byte, offset, 'a key');
        this.#isKey = true;
        this.#state = 'string';
        return;
      case 'colon':
        if (isSpace(byte)) return;
        if (byte !== 0x3a) throw unexpected(byte, offset, '":"');
        this.#isKey = false;
        this.#state = 'value';
        return;
      case 'after': {
        if (isSpace(byte)) return;
        const closing = this.#open.at(-1) ?? 0;
        if (byte === closing) return this.#close();
        if (byte !== 0x2c) throw unexpected(byte, offset, `"," or "${String.fromCharCode(closing)}"`);
        this.#state = closing === 0x7d ? 'key' : 'value';
        return;
      }
      case 'escape':
        if (byte === 0x75) {
          this.#hexLeft = 4;
          this.#state = 'hex';
          return;
        }
        if (!isEscape(byte)) throw unexpected(byte, offset, 'an escape of JSON');
        this.#state = 'string';
        return;
      case 'hex':
        if (hexValue(byte) < 0) throw unexpected(byte, offset, 'a hexadecimal digit');
        if (--this.#hexLeft === 0) this.#state = 'string';
        return;
      case 'rest of a character':
        if (byte < this.#restLow || byte > this.#restHigh) throw notJson(`it is not UTF-8 at byte ${offset}`, offset);
        this.#restLow = 0x80;
        this.#restHigh = 0xbf;
        if (--this.#restLeft === 0) this.#state = 'string';
        return;
      case 'literal':
        if (byte !== this.#literal.charCodeAt(0)) throw unexpected(byte, offset, `"${this.#literal[0]}"`);
        this.#literal = this.#literal.slice(1);
        if (this.#literal === '') this.#finish();
        return;
      default:
        return this.#number(byte, offset);
    }
  }

  #beginValue(byte: number, offset: number): void {
    if (byte === 0x22) this.#state = 'string';
    else if (byte === 0x7b) this.#openLevel(0x7d, 'first key', offset);
    else if (byte === 0x5b) this.#openLevel(0x5d, 'first item', offset);
    else if (byte === 0x74) this.#beginLiteral('rue');
    else if (byte === 0x66) this.#beginLiteral('alse');
    else if (byte === 0x6e) this.#beginLiteral('ull');
    else if (byte === 0x2d) this.#state = 'minus';
    else if (byte === 0x30) this.#state = 'zero';
    else if (isDigit(byte)) this.#state = 'integer';
    else throw unexpected(byte, offset, 'a value');
  }

  #number(byte: number, offset: number): void {
    const state = this.#state;
    if (isDigit(byte)) {
      if (state === 'minus') this.#state = byte === 0x30 ? 'zero' : 'integer';
      else if (state === 'point') this.#state = 'fraction';
      else if (state === 'exponent sign' || state === 'exponent first') this.#state = 'exponent';
      return;
    }
    if (byte === 0x2e && (state === 'zero' || state === 'integer')) this.#state = 'point';
    else if ((byte | 0x20) === 0x65 && (state === 'zero' || state === 'integer' || state === 'fraction'))
      this.#state = 'exponent sign';
    else if ((byte === 0x2b || byte === 0x2d) && state === 'exponent sign') this.#state = 'exponent first';
    else throw unexpected(byte, offset, 'a digit');
  }

  /** Whether a number is under way that may end here, and `byte` is not of it. */
  #endsNumber(byte: number): boolean {
    switch (this.#state) {
      case 'zero':
        return byte !== 0x2e && (byte | 0x20) !== 0x65;
      case 'integer':
        return !isDigit(byte) && byte !== 0x2e && (byte | 0x20) !== 0x65;
      case 'fraction':
        return !isDigit(byte) && (byte | 0x20) !== 0x65;
      case 'exponent':
        return !isDigit(byte);
      default:
        return false;
    }
  }

  #beginLiteral(rest: string): void {
    this.#literal = rest;
    this.#state = 'literal';
  }

  /** The well-formed sequences of UTF-8 (Unicode 15, table 3-7): no surrogates, nothing longer than it must be. */
  #beginCharacter(byte: number, offset: number): void {
    if (byte >= 0xc2 && byte <= 0xdf) this.#restLeft = 1;
    else if (byte >= 0xe0 && byte <= 0xef) this.#restLeft = 2;
    else if (byte >= 0xf0 && byte <= 0xf4) this.#restLeft = 3;
    else throw notJson(`it is not UTF-8 at byte ${offset}`, offset);
    this.#restLow = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#restHigh = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    this.#state = 'rest of a character';
  }

  #openLevel(closing: number, state: State, offset: number): void {
    this.#open.push(closing);
    if (this.#depthAbove + this.#open.length > maxDepth)
      throw notJson(`it is nested deeper than ${maxDepth} levels at byte ${offset}`, offset);
    this.#state = state;
  }

  #close(): void {
    this.#open.pop();
    this.#finish();
  }

  #finish(): void {
    this.#state = this.#open.length === 0 ? 'done' : 'after';
  }
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** `"`, `\`, `/`, b, f, n, r, t */
function isEscape(byte: number): boolean {
  return '"\\/bfnrt'.includes(String.fromCharCode(byte)) && byte < 0x80;
}

/** -1 for what is no hexadecimal digit. */
export function hexValue(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

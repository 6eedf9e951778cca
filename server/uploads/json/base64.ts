// Base64 inside a JSON string, decoded as its pieces come.
//
// A piece without escapes goes through Node's decoder in one call. That decoder skips what it doesn't know, so a result that
// is shorter than the text allows means that something else is in it; then the piece goes through a loop that looks at each
// character, knows JSON's escapes, and can say where the fault is. What is taken beside plain base64 (RFC 4648): its URL-safe
// alphabet, white space and line breaks (MIME), and a data: URL around it. Padding must be there: without it nobody can tell
// a whole text from one that was cut.
import { badField, nameOf, unexpected } from './faults.ts';
import { hexValue } from './value.ts';

const dataPrefix = 'data:';
const longestDataHead = 256;

/** What a character is: one of the alphabet, to be skipped, the padding, or none of base64. */
const other = 0;
const letter = 1;
const skipped = 2;
const padding = 3;
const kinds = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')
  kinds[char.charCodeAt(0)] = letter;
for (const char of ' \t\r\n') kinds[char.charCodeAt(0)] = skipped;
kinds[0x3d] = padding;

export class Base64String {
  /** 0: none; 1: after the backslash; 2 to 5: digits of \u. */
  #escape = 0;
  #code = 0;
  /** The beginning, until it is known whether it is a data: URL: `data:` so far, or the URL's head. */
  #head: string | null = '';
  /** Characters that wait for the rest of their four. */
  #carry = '';
  #padding = 0;
  #letters = 0;
  #done = false;

  get done(): boolean {
    return this.#done;
  }

  /** Decodes from `start` to the closing quote, or to the end of the piece. `base` is the piece's own place in the body. */
  take(piece: Buffer, start: number, base: number): { end: number; decoded: Buffer } {
    if (this.#escape === 0 && this.#head === null && this.#padding === 0) {
      const quote = piece.indexOf(0x22, start);
      const end = quote === -1 ? piece.length : quote;
      const slash = piece.indexOf(0x5c, start);
      const decoded = slash === -1 || slash > end ? this.#decode(piece.subarray(start, end)) : null;
      if (decoded) {
        if (quote === -1) return { end, decoded };
        this.#finish(base + quote);
        return { end: quote + 1, decoded };
      }
    }
    return this.#takeCarefully(piece, start, base);
  }

  #takeCarefully(piece: Buffer, start: number, base: number): { end: number; decoded: Buffer } {
    const text = Buffer.allocUnsafe(piece.length - start + dataPrefix.length);
    let length = 0;
    let at = start;
    for (; at < piece.length; at++) {
      // What nearly every character is, without the questions below.
      if (this.#escape === 0 && this.#head === null && this.#padding === 0) {
        for (; at < piece.length; at++) {
          const byte = piece[at] ?? 0;
          if (kinds[byte] === letter) text[length++] = byte;
          else if (byte === 0x5c && piece[at + 1] === 0x2f) text[length++] = piece[++at] ?? 0;
          else break;
        }
        if (at === piece.length) break;
      }
      const byte = piece[at] ?? 0;
      let char = byte;
      if (this.#escape > 0) {
        char = this.#unescape(byte, base + at);
        if (char === -1) continue;
      } else if (byte === 0x22) break;
      else if (byte === 0x5c) {
        this.#escape = 1;
        continue;
      } else if (byte < 0x20) throw unexpected(byte, base + at, 'a character of a string');
      if (this.#head !== null) {
        const before = this.#readHead(char, base + at);
        if (before === null) continue;
        length += text.write(before, length, 'latin1');
      }
      const kind = char < 256 ? kinds[char] : other;
      if (kind === letter && this.#padding === 0) text[length++] = char;
      else if (kind === padding) this.#padding++;
      else if (kind !== skipped) throw notBase64(char, base + at, this.#padding > 0);
    }
    const closed = at < piece.length;
    if (closed && this.#head !== null) length += text.write(this.#headAtEnd(base + at), length, 'latin1');
    const decoded = this.#decode(text.subarray(0, length));
    if (!decoded) throw new Error('letters of base64 were not decoded');
    if (!closed) return { end: at, decoded };
    const last = this.#finish(base + at);
    return { end: at + 1, decoded: last ? Buffer.concat([decoded, last]) : decoded };
  }

  /** The character that the escape stands for, or -1 while it is not whole. */
  #unescape(byte: number, offset: number): number {
    if (this.#escape > 1) {
      const digit = hexValue(byte);
      if (digit < 0) throw unexpected(byte, offset, 'a hexadecimal digit');
      this.#code = this.#code * 16 + digit;
      if (++this.#escape < 6) return -1;
      this.#escape = 0;
      return this.#code;
    }
    if (byte === 0x75) {
      this.#code = 0;
      this.#escape = 2;
      return -1;
    }
    const char = escapes.get(byte);
    if (char === undefined) throw unexpected(byte, offset, 'an escape of JSON');
    this.#escape = 0;
    return char;
  }

  /** Null while the character belongs to the head; else the letters before it, which were no head after all. */
  #readHead(char: number, offset: number): string | null {
    const head = this.#head ?? '';
    if (head.length < dataPrefix.length) {
      if (char === dataPrefix.charCodeAt(head.length)) {
        this.#head = head + String.fromCharCode(char);
        return null;
      }
      this.#head = null;
      return head;
    }
    if (char !== 0x2c) {
      if (head.length >= longestDataHead)
        throw badField('file', `has no base64 after "data:" at byte ${offset}`, offset);
      this.#head = head + String.fromCharCode(char);
      return null;
    }
    if (!/;\s*base64$/i.test(head))
      throw badField('file', `is a data: URL without ";base64" at byte ${offset}`, offset);
    this.#head = null;
    return null;
  }

  #headAtEnd(offset: number): string {
    const head = this.#head ?? '';
    if (head.length >= dataPrefix.length)
      throw badField('file', `has no base64 after "data:" at byte ${offset}`, offset);
    this.#head = null;
    return head;
  }

  /** The bytes of all whole fours; null when something in `text` is no letter. Then nothing has changed. */
  #decode(text: Buffer): Buffer | null {
    const missing = this.#carry === '' ? 0 : 4 - this.#carry.length;
    const whole = text.length < missing ? 0 : text.length - ((text.length - missing) % 4);
    const rest = text.subarray(whole);
    if (!rest.every(byte => kinds[byte] === letter)) return null;
    const letters = whole === 0 ? '' : this.#carry + text.toString('latin1', 0, missing);
    const bytes = Buffer.allocUnsafeSlow(((letters.length + Math.max(0, whole - missing)) / 4) * 3);
    let written = bytes.write(letters, 'base64');
    written += bytes.write(text.toString('latin1', missing, whole), written, 'base64');
    if (written !== bytes.length) return null;
    this.#carry = (whole === 0 ? this.#carry : '') + rest.toString('latin1');
    this.#letters += text.length;
    return bytes;
  }

  /** The bytes of the last four, where padding fills it. */
  #finish(offset: number): Buffer | null {
    this.#done = true;
    const open = this.#carry.length;
    if (open === 0 && this.#padding === 0) return null;
    if (open < 2 || this.#padding !== 4 - open) {
      const counted = `${this.#letters} characters and ${this.#padding} of padding`;
      throw badField('file', `is not whole base64: it ends with ${counted} at byte ${offset}`, offset);
    }
    return Buffer.from(this.#carry, 'base64');
  }
}

const escapes = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

function notBase64(char: number, offset: number, afterPadding: boolean): Error {
  const where = afterPadding ? 'after the padding' : 'which is not of the base64 alphabet';
  const what = char < 0x80 ? nameOf(char) : 'a character';
  return badField('file', `has ${what} at byte ${offset}, ${where}`, offset);
}

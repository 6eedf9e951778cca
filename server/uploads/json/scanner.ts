// Reads an upload's JSON body `{file, format, options, metadata}` piece by piece: the file's base64 is decoded as it comes, and
// nothing of it is held.
//
// 1. Keys come in any order, with white space wherever JSON has it, and may be written with escapes.
// 2. `file` must be a string of base64 (base64.ts says which kinds).
// 3. `format`, `options` and `metadata` are collected, up to a size, and parsed.
// 4. Other keys are ignored, but their values must be JSON, and no deeper than 64 levels.
// 5. A key that comes twice is refused: two programs could read such a body differently.
// 6. Whatever is refused here JSON.parse refuses too, except for these bounds and rules; whatever JSON.parse refuses is
//    refused here.
// 7. How the body is cut into pieces changes nothing.
import { Base64String } from './base64.ts';
import { badField, cutOff, notJson, unexpected } from './faults.ts';
import { isSpace, ValueScanner } from './value.ts';

const maxKeys = 1000;
const maxKeyBytes = 1024;
const maxCollectedBytes = 1024 * 1024;
const collected = new Set(['format', 'options', 'metadata']);
const mark = [0xef, 0xbb, 0xbf];
const nothing = Buffer.alloc(0);

type State = 'start' | 'first key' | 'key' | 'in key' | 'colon' | 'value' | 'file' | 'in value' | 'after' | 'end';

export class UploadScanner {
  #state: State = 'start';
  /** Bytes of the body before the piece under way. */
  #base = 0;
  /** Bytes of the byte order mark that came. */
  #marked = 0;
  #key = '';
  readonly #keys = new Set<string>();
  readonly #value = new ValueScanner();
  readonly #file = new Base64String();
  /** The bytes of the key or value under way, where they are wanted. */
  #kept: Buffer[] | null = null;
  #keptBytes = 0;
  #keptStart = 0;
  readonly #fields: Record<string, unknown> = {};

  /** The bytes of the file that the piece completes. Throws ApiError. */
  push(piece: Buffer): Buffer {
    let decoded: Buffer = nothing;
    for (let at = 0; at < piece.length;) {
      if (this.#state === 'file') {
        const taken = this.#file.take(piece, at, this.#base);
        decoded = taken.decoded;
        at = taken.end;
        if (this.#file.done) this.#state = 'after';
      } else if (this.#state === 'in key' || this.#state === 'in value') at = this.#follow(piece, at);
      else at = this.#step(piece[at] ?? 0, at);
    }
    this.#base += piece.length;
    return decoded;
  }

  /** What was collected, by key; `undefined` for a key that did not come. Throws ApiError when the body isn't whole. */
  end(): Record<string, unknown> {
    if (this.#state === 'start') throw notJson('it is empty', this.#base);
    const inside = this.#state === 'file' || this.#state === 'in value';
    if (this.#state !== 'end') throw cutOff(this.#base, inside ? `inside ${shown(this.#key)}` : 'before its last "}"');
    if (!this.#keys.has('file')) throw badField('file', 'is required', this.#base);
    return this.#fields;
  }

  /** Takes the byte at `at` between values; gives where to go on. */
  #step(byte: number, at: number): number {
    const offset = this.#base + at;
    if (this.#state === 'start' && byte === mark[offset] && this.#marked === offset) {
      this.#marked++;
      return at + 1;
    }
    if (this.#marked % mark.length !== 0) throw unexpected(byte, offset, '"{"');
    if (isSpace(byte)) return at + 1;
    switch (this.#state) {
      case 'start':
        if (byte !== 0x7b) throw unexpected(byte, offset, '"{"');
        this.#state = 'first key';
        return at + 1;
      case 'first key':
      case 'key':
        if (byte === 0x7d && this.#state === 'first key') this.#state = 'end';
        else if (byte === 0x22) {
          this.#begin('in key', offset);
          return at;
        } else throw unexpected(byte, offset, 'a key');
        return at + 1;
      case 'colon':
        if (byte !== 0x3a) throw unexpected(byte, offset, '":"');
        this.#state = 'value';
        return at + 1;
      case 'value':
        if (this.#key !== 'file') {
          this.#begin('in value', offset);
          return at;
        }
        if (byte !== 0x22) throw badField('file', `must be a string of base64 (at byte ${offset})`, offset);
        this.#state = 'file';
        return at + 1;
      case 'after':
        if (byte === 0x2c) this.#state = 'key';
        else if (byte === 0x7d) this.#state = 'end';
        else throw unexpected(byte, offset, '"," or "}"');
        return at + 1;
      default:
        throw unexpected(byte, offset, 'the end of the body');
    }
  }

  #begin(state: 'in key' | 'in value', offset: number): void {
    this.#state = state;
    this.#value.begin(1);
    this.#kept = state === 'in key' || collected.has(this.#key) ? [] : null;
    this.#keptBytes = 0;
    this.#keptStart = offset;
  }

  #follow(piece: Buffer, start: number): number {
    const end = this.#value.take(piece, start, this.#base);
    if (this.#kept && end > start) this.#keep(piece.subarray(start, end));
    if (!this.#value.done) return end;
    if (this.#state === 'in value') {
      if (this.#kept) this.#fields[this.#key] = this.#parsed();
      this.#state = 'after';
      return end;
    }
    this.#key = String(this.#parsed());
    if (this.#keys.has(this.#key))
      throw notJson(`the key ${shown(this.#key)} comes twice, at byte ${this.#keptStart} again`, this.#keptStart);
    if (this.#keys.size === maxKeys) throw notJson(`it has more than ${maxKeys} keys`, this.#keptStart);
    this.#keys.add(this.#key);
    this.#state = 'colon';
    return end;
  }

  #keep(part: Buffer): void {
    this.#keptBytes += part.length;
    if (this.#state === 'in key' && this.#keptBytes > maxKeyBytes)
      throw notJson(`the key at byte ${this.#keptStart} has more than ${maxKeyBytes} bytes`, this.#keptStart);
    if (this.#keptBytes > maxCollectedBytes)
      throw badField(this.#key, `has more than ${maxCollectedBytes} bytes`, this.#keptStart);
    // A copy: the piece's memory may be used again.
    this.#kept?.push(Buffer.from(part));
  }

  #parsed(): unknown {
    return JSON.parse(Buffer.concat(this.#kept ?? []).toString('utf8'));
  }
}

function shown(key: string): string {
  return JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);
}

// The scanner against JSON.parse and Node's own base64, on bodies of every layout and cut at every place.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../http/index.ts';
import { UploadScanner } from './scanner.ts';

interface Scanned {
  file: Buffer;
  fields: Record<string, unknown>;
}

function scan(body: string | Buffer, pieces: Iterable<number> = [Infinity]): Scanned {
  const scanner = new UploadScanner();
  const bytes = Buffer.from(body);
  const file: Buffer[] = [];
  let at = 0;
  for (const size of pieces) {
    file.push(scanner.push(bytes.subarray(at, at + size)));
    at += size;
  }
  file.push(scanner.push(bytes.subarray(at)));
  return { file: Buffer.concat(file), fields: scanner.end() };
}

function refusal(body: string | Buffer, pieces?: Iterable<number>): string {
  try {
    scan(body, pieces);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  return 'taken';
}

const contents = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array));
const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 3 });
const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 });

/** A string as JSON may write it: any character as itself or as an escape. */
function written(text: string): fc.Arbitrary<string> {
  const ways = [...text].map(char => {
    const hex = [...char].map(() => char.charCodeAt(0).toString(16).padStart(4, '0')).join('');
    const choices = char.length === 1 ? [`\\u${hex}`, `\\u${hex.toUpperCase()}`] : [];
    if (char === '/') choices.push('\\/');
    return fc.oneof(
      { weight: 8, arbitrary: fc.constant(JSON.stringify(char).slice(1, -1)) },
      fc.constantFrom(...choices, JSON.stringify(char).slice(1, -1)),
    );
  });
  return fc.tuple(...ways).map(chars => `"${chars.join('')}"`);
}

const layout = fc
  .record({
    file: contents.filter(each => each.length > 0),
    format: fc.constantFrom('csv', 'json', 'ndjson'),
    metadata: fc.option(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { nil: undefined }),
    options: fc.option(
      fc.object({ maxDepth: 3 }).map(value => JSON.parse(JSON.stringify(value)) as object),
      { nil: undefined },
    ),
    unknown: fc.option(fc.jsonValue(), { nil: undefined }),
  })
  .chain(parts => {
    const { file, ...rest } = parts;
    const members = Object.entries(rest).filter(([, value]) => value !== undefined);
    const pairs = members.map(([key, value]) => fc.tuple(written(key), fc.constant(JSON.stringify(value))));
    const filePair = fc.tuple(written('file'), written(file.toString('base64')));
    return fc.record({
      parts: fc.constant(parts),
      body: fc
        .tuple(...pairs, filePair)
        .chain(all => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))
        .chain(all =>
          fc
            .array(space, { minLength: all.length * 4 + 2, maxLength: all.length * 4 + 2 })
            .map(
              gaps =>
                `${gaps[0]}{${all.map(([key, value], n) => `${gaps[4 * n + 1]}${key}${gaps[4 * n + 2]}:${gaps[4 * n + 3]}${value}${gaps[4 * n + 4]}`).join(',')}}${gaps.at(-1)}`,
            ),
        ),
    });
  });

describe('a body', () => {
  it('gives its file and fields in every layout, however it is cut', () => {
    fc.assert(
      fc.property(layout, cuts, ({ parts, body }, sizes) => {
        const { file, fields } = scan(body, sizes);
        expect(file).toEqual(parts.file);
        const { format, metadata, options } = JSON.parse(body) as Record<string, unknown>;
        expect(fields).toEqual(
          Object.fromEntries(Object.entries({ format, metadata, options }).filter(([, value]) => value !== undefined)),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('is taken or refused as JSON.parse would, when bytes of it are changed', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(...Buffer.from('{}[]",:\\/u0e-+.tn \n\t\0\u007f'), 0xff, 0xc3, 0xa9),
      how: fc.constantFrom('set', 'insert', 'cut'),
    });
    let refused = 0;
    fc.assert(
      fc.property(layout, fc.array(change, { minLength: 1, maxLength: 2 }), cuts, ({ body }, changes, sizes) => {
        let text = Buffer.from(body);
        for (const { at, byte, how } of changes) {
          const place = at % (text.length + 1);
          const rest = text.subarray(place + (how === 'set' ? 1 : 0));
          text =
            how === 'cut'
              ? text.subarray(0, place)
              : Buffer.concat([text.subarray(0, place), Buffer.from([byte]), rest]);
        }
        const message = refusal(text, sizes);
        expect(refusal(text)).toBe(message);
        const reference = parsed(text);
        if (reference === undefined) expect(message).not.toBe('taken');
        if (message !== 'taken') refused++;
        if (message === 'taken') {
          const { file, fields } = scan(text, sizes);
          const said = reference as Record<string, unknown>;
          expect(file.toString('base64')).toBe(normal(String(said['file'])));
          expect(fields['format']).toEqual(said['format']);
          expect(fields['options']).toEqual(said['options']);
        } else if (isObject(reference)) {
          // What JSON.parse takes is refused for a reason of ours alone.
          expect(message).toMatch(/^file |comes twice/);
        }
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});

describe('a file of base64', () => {
  // Long enough that pieces of it take the fast way, with every letter in it.
  const file = Buffer.from(Array.from({ length: 1000 }, (_, n) => (n * 89 + (n >> 3)) % 256));
  const base64 = file.toString('base64');
  const taken: [string, string][] = [
    ['as it is', base64],
    ['with escaped slashes', base64.replaceAll('/', '\\/')],
    [
      'with every letter escaped',
      [...base64].map(char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
    ],
    ['with the escapes of .NET', base64.replaceAll('+', '\\u002B').replaceAll('=', '\\u003D')],
    ['in lines of 76 (MIME)', base64.replaceAll(/(.{76})/g, '$1\\r\\n')],
    ['with spaces and tabs', base64.replaceAll(/(.{10})/g, '$1 \\t')],
    ['in the URL-safe alphabet', base64.replaceAll('+', '-').replaceAll('/', '_')],
    ['in a data: URL', `data:text/csv;charset=utf-8;base64,${base64}`],
    ['in a data: URL with escapes', `data:text\\/csv;base64,${base64.replaceAll('/', '\\/')}`],
  ];
  it.each(taken)('is taken %s', (_name, text) => {
    for (const size of [1, 2, 3, 5, 64, 1000, Infinity]) {
      const body = `{"format":"csv","file":"${text}"}`;
      expect(
        scan(
          body,
          Array.from({ length: Math.ceil(body.length / size) }, () => size),
        ).file,
      ).toEqual(file);
    }
  });

  it('that begins like a data: URL is none', () => {
    for (const text of ['data', 'dataAAAA', 'dat=', 'daQ=', 'd/+='])
      expect(scan(`{"file":"${text}"}`, [12, 1, 1, 1]).file).toEqual(Buffer.from(text, 'base64'));
  });

  it('is refused with the byte at fault, wherever pieces begin and end', () => {
    fc.assert(
      fc.property(fc.nat(base64.length - 5), fc.constantFrom('*', '.', '!', 'é', '%', '='), cuts, (at, char, sizes) => {
        const text = `${base64.slice(0, at)}${char}${base64.slice(at + 1)}`;
        const message = refusal(
          `{"file":"${text}"}`,
          sizes.map(size => size * 20),
        );
        const place = char === '=' ? at + 10 : at + 9;
        expect(message).toContain(`at byte ${place},`);
      }),
    );
  });
});

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function normal(base64: string): string {
  return Buffer.from(base64.replace(/^data:[^,]*,/, ''), 'base64').toString('base64');
}

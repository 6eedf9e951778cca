// Contacts as address books export them: vCard 2.1 to 4.0 (RFC 6350), a row a card.
//
// A property that stands several times in a card becomes a list in every row: columns keep one type.
const listed = ['tel', 'email', 'adr', 'url', 'impp', 'categories'];
const single = ['fn', 'org', 'title', 'role', 'bday', 'note', 'uid', 'rev'];

export default {
  name: 'vcard',
  async *rows(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Record<string, string | string[] | null>> {
    let card: Record<string, string | string[] | null> | null = null;
    let number = 0;
    for await (const line of unfolded(bytes)) {
      number++;
      if (line.trim() === '') continue;
      const colon = valueStart(line);
      if (colon < 0) throw new Error(`property ${number} has no colon: ${line.slice(0, 60)}`);
      // `item1.TEL;TYPE=home` is a TEL of a group.
      const [property = '', ...parameters] = line.slice(0, colon).split(';');
      const name = property.replace(/^.*\./, '').toLowerCase();
      const value = decode(line.slice(colon + 1), parameters);
      if (name === 'begin')
        card = Object.fromEntries([
          ...[...single, 'family_name', 'given_name'].map(key => [key, null]),
          ...listed.map(key => [key, []]),
        ]);
      else if (card === null) throw new Error(`property ${number} stands outside of a card: ${line.slice(0, 60)}`);
      else if (name === 'end') {
        yield card;
        card = null;
      } else if (single.includes(name)) card[name] ??= value;
      else if (listed.includes(name)) card[name] = [...(card[name] ?? []), value];
      else if (name === 'n') {
        const [family = '', given = ''] = line
          .slice(colon + 1)
          .split(';')
          .map(unescape);
        card['family_name'] = family;
        card['given_name'] = given;
      }
    }
    if (card !== null) throw new Error('the file ends within a card');
  },
};

/** Lines with those that begin with a blank joined to the one before, and soft line breaks of quoted-printable. */
async function* unfolded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let open: string | null = null;
  const join = function* (lines: string[]): Generator<string> {
    for (const line of lines) {
      const text = line.replace(/\r$/, '');
      if (open !== null && /^[ \t]/.test(text)) open += text.slice(1);
      else if (open !== null && /QUOTED-PRINTABLE/i.test(open) && open.endsWith('=')) open = open.slice(0, -1) + text;
      else {
        if (open !== null) yield open;
        open = text;
      }
    }
  };
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* join(lines);
  }
  yield* join([rest + decoder.decode()]);
  if (open !== null) yield open;
}

/** The first colon outside of quotes. */
function valueStart(line: string): number {
  let quoted = false;
  for (let index = 0; index < line.length; index++) {
    if (line[index] === '"') quoted = !quoted;
    else if (line[index] === ':' && !quoted) return index;
  }
  return -1;
}

function decode(value: string, parameters: string[]): string {
  if (!parameters.some(parameter => /QUOTED-PRINTABLE/i.test(parameter))) return unescape(value);
  const latin1 = value.replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function unescape(value: string): string {
  return value.replaceAll(/\\([nN,;\\:])/g, (_, character: string) => (/n/i.test(character) ? '\n' : character));
}

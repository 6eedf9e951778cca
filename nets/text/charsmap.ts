/**
 * Sentencepiece's precompiled character map: text rules ("ﬁ" → "fi") as one binary table.
 *
 * Layout: the trie's size in bytes (u32), the trie, then the replacements, each ended by a NUL. The trie is a double
 * array over UTF-8 bytes as Darts-clone writes it: a unit is `label | leaf << 8 | offset << 10`, the children of the
 * unit at `p` stand at `p ^ offset ^ byte`, and a leaf's value (`value | 1 << 31`) stands at `p ^ offset`.
 */

const LEAF = 1 << 8;
const VALUE = 0x80000000;

interface Node {
  children: Map<number, Node>;
  value: number | undefined;
}

/** The binary table for a set of rules; keys and replacements must not contain NUL. */
export function writeCharsmap(rules: ReadonlyMap<string, string>): Uint8Array {
  const root: Node = { children: new Map(), value: undefined };
  const replacements: Buffer[] = [];
  const places = new Map<string, number>();
  let size = 0;
  for (const [key, replacement] of rules) {
    let place = places.get(replacement);
    if (place === undefined) {
      const bytes = Buffer.from(`${replacement}\0`);
      places.set(replacement, (place = size));
      replacements.push(bytes);
      size += bytes.length;
    }
    let node = root;
    for (const byte of Buffer.from(key)) {
      let child = node.children.get(byte);
      if (!child) node.children.set(byte, (child = { children: new Map(), value: undefined }));
      node = child;
    }
    node.value = place;
  }
  const trie = layOut(root);
  const header = Buffer.alloc(4);
  header.writeUInt32LE(trie.byteLength);
  return Buffer.concat([header, trie, ...replacements]);
}

/** All rules of a table. Throws when it is not one. */
export function readCharsmap(bytes: Uint8Array): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = view.byteLength < 4 ? Number.NaN : view.getUint32(0, true);
  if (!(trieBytes % 4 === 0 && 4 + trieBytes <= view.byteLength)) throw new Error('Not a precompiled character map.');
  const units = trieBytes / 4;
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset + 4 + trieBytes, bytes.byteLength - 4 - trieBytes);
  const unitAt = (position: number): number => (position < units ? view.getUint32(4 + 4 * position, true) : 0);
  const rules = new Map<string, string>();
  const walk = (position: number, key: number[]): void => {
    const unit = unitAt(position);
    const base = position ^ ((unit >>> 10) << ((unit & 0x200) >>> 6));
    if (unit & LEAF) {
      const place = unitAt(base) & 0x7fffffff;
      rules.set(Buffer.from(key).toString(), texts.toString('utf8', place, texts.indexOf(0, place)));
    }
    for (let byte = 1; byte < 256; byte++) {
      // A leaf's value has its highest bit set, so that it is never taken for a child.
      if ((unitAt(base ^ byte) & 0x800000ff) === byte) walk(base ^ byte, [...key, byte]);
    }
  };
  walk(0, []);
  return rules;
}

/** First fit: every node gets a base of its own whose slots for its children (and its value, at 0) are free. */
function layOut(root: Node): Buffer {
  let units = new Uint32Array(1 << 12);
  const taken = new Set<number>([0]);
  const bases = new Set<number>();
  let firstFree = 1;
  let end = 256;
  const queue: { node: Node; position: number }[] = [{ node: root, position: 0 }];
  for (let entry = queue.pop(); entry; entry = queue.pop()) {
    const { node, position } = entry;
    const labels = [...(node.value === undefined ? [] : [0]), ...node.children.keys()];
    while (taken.has(firstFree)) firstFree++;
    const first = labels[0] ?? 0;
    let slot = firstFree;
    while (taken.has(slot) || bases.has(slot ^ first) || labels.some(label => taken.has(slot ^ first ^ label))) slot++;
    const base = slot ^ first;
    bases.add(base);
    end = Math.max(end, (base | 255) + 1);
    if (end > units.length) units = grown(units, end);
    const offset = position ^ base;
    if (offset >= 1 << 21) throw new Error('The character map has too many rules.');
    units[position] = ((units[position] ?? 0) | (offset << 10) | (node.value === undefined ? 0 : LEAF)) >>> 0;
    for (const label of labels) taken.add(base ^ label);
    if (node.value !== undefined) units[base] = (VALUE | node.value) >>> 0;
    for (const [label, child] of node.children) {
      units[base ^ label] = label;
      queue.push({ node: child, position: base ^ label });
    }
  }
  const out = Buffer.alloc(4 * end);
  for (let i = 0; i < end; i++) out.writeUInt32LE(units[i] ?? 0, 4 * i);
  return out;
}

function grown(units: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(length, 2 * units.length));
  larger.set(units);
  return larger;
}

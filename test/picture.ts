// Draws docs/meanings.svg, the README's picture, from real vectors: `node test/picture.ts` with a server's URL and KEY set.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { meanings } from './meanings.ts';

const [labels, cell, gap] = [400, 24, 10];
const { URL: url = 'http://127.0.0.1:8080', KEY: key = '' } = process.env;

const rows = Object.values(meanings).flatMap((texts, group) => texts.map(text => ({ group, text })));
const response = await fetch(`${url}/vectorize/batch`, {
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ texts: rows.map(row => row.text), model: 'e5_small' }),
});
if (!response.ok) throw new Error(await response.text());
const { vectors } = (await response.json()) as { vectors: number[][] };
const similarities = vectors.map(a => vectors.map(b => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)));

const at = (index: number) => index * cell + (rows[index]?.group ?? 0) * gap;
const size = at(rows.length - 1) + cell;
const least = Math.min(...similarities.flat());
const squares = similarities.flatMap((line, i) =>
  line.map((similarity, j) => {
    const share = (similarity - least) / (1 - least);
    const [x, y] = [labels + at(j), at(i)];
    return `<rect x="${x}" y="${y}" width="${cell - 2}" height="${cell - 2}" rx="4" fill-opacity="${(0.05 + 0.95 * share ** 2).toFixed(2)}"><title>${similarity.toFixed(3)}</title></rect>`;
  }),
);
const texts = rows.map(
  ({ text }, i) => `<text x="${labels - 14}" y="${at(i) + 16}" text-anchor="end">${escape(text)}</text>`,
);
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -4 ${labels + size + 4} ${size + 8}" role="img" aria-label="Similarities of sentences in seven languages: those of one meaning form bright squares">
<style>text { font: 13px system-ui, sans-serif; fill: #334155 } rect { fill: #2563eb } @media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } rect { fill: #60a5fa } }</style>
${[...texts, ...squares].join('\n')}
</svg>
`;
await writeFile(fileURLToPath(new URL('../docs/meanings.svg', import.meta.url)), svg);

/** A mark after a right-to-left sentence keeps its full stop on the left. */
function escape(text: string): string {
  const mark = /\p{Script=Arabic}/u.test(text) ? '\u200f' : '';
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;') + mark;
}

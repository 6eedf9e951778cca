// The rooms of the house and which way their arrows may go: the table of docs/architecture.md as code.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';

/** Which rooms each room may import. `test` and `bench` may import every room, and no room imports them. */
export const mayImport: Record<string, readonly string[]> = {
  tensor: [],
  nets: ['tensor'],
  engine: ['tensor', 'nets'],
  contract: [],
  tables: ['contract'],
  training: ['tensor', 'nets', 'contract', 'tables'],
  server: ['tensor', 'nets', 'engine', 'contract', 'tables', 'training'],
  console: ['contract'],
  test: ['tensor', 'nets', 'engine', 'contract', 'tables', 'training', 'server'],
  bench: ['tensor', 'nets', 'engine', 'contract', 'tables', 'training', 'server'],
};

/** Rooms that measure and try the insides of the others, and so may walk past their doors. */
const inspectors = new Set(['test', 'bench']);

/** Folders of the server that are no features: everyone in the server may reach into their files. */
const sharedFolders = new Set(['files']);

export interface SourceFile {
  /** Path from the root of the repository, with slashes. */
  path: string;
  text: string;
}

/**
 * Names every import that goes against the arrows, as `file: specifier: reason`:
 * a room that may not import another, a way around a room's door (its index.ts), and a server feature that reaches
 * into another feature past its index.ts. Tests, and what they share (testing.ts), stand outside the last rule.
 */
export function violations(files: readonly SourceFile[]): string[] {
  return files.flatMap(file =>
    specifiers(file.text).flatMap(specifier => {
      const reason = refusal(file.path, specifier);
      return reason === null ? [] : [`${file.path}: ${specifier}: ${reason}`];
    }),
  );
}

/** All TypeScript and JavaScript sources of the rooms below `root`. */
export function readRooms(root: string): SourceFile[] {
  return Object.keys(mayImport).flatMap(room =>
    readdirSync(join(root, room), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && /\.(ts|tsx|js)$/.test(entry.name))
      .map(entry => join(entry.parentPath, entry.name))
      .filter(path => !path.includes(`${sep}node_modules${sep}`) && !path.startsWith(join(root, 'console', 'dist')))
      .map(path => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') })),
  );
}

function refusal(path: string, specifier: string): string | null {
  const [room = '', feature = ''] = path.split('/');
  if (specifier.startsWith('@vectorium/')) {
    const [, target = '', ...inside] = specifier.split('/');
    if (inside.length > 0) return `a room is entered by its door, @vectorium/${target}`;
    return mayImport[room]?.includes(target) ? null : `${room} may not import ${target}`;
  }
  if (!specifier.startsWith('.')) return null;
  const target = posix.join(dirname(path), specifier);
  const [targetRoom = '', targetFeature = '', ...rest] = target.split('/');
  if (targetRoom !== room && inspectors.has(room)) return null;
  if (targetRoom !== room)
    return mayImport[targetRoom] ? `a room is entered by its door, @vectorium/${targetRoom}` : null;
  const crosses = room === 'server' && rest.length > 0 && targetFeature !== feature && path.split('/').length > 2;
  if (!crosses || sharedFolders.has(targetFeature) || /\/testing\.ts$|\.test\.ts$/.test(path)) return null;
  return rest.join('/') === 'index.ts' ? null : `the feature ${targetFeature} is entered by its index.ts`;
}

function specifiers(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(pattern)].map(match => match[2] ?? '');
}

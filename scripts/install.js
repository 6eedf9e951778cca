// Runs before `npm run demo`, `npm test` and `npm start`, on whatever Node the machine has: installs the pinned packages
// (Node 24 among them) when they are missing or older than the lock file, builds the console when it is missing or older than
// its sources, and otherwise does nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.installed-lock`;
const lock = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');

if (read(stamp) !== lock) {
  console.error('vectorium: installing packages (once)…');
  const npm = process.env.npm_execpath;
  // Node itself is a development dependency, which `NODE_ENV=production` would leave out.
  const ci = ['ci', '--include=dev'];
  const [command, args] = npm ? [process.execPath, [npm, ...ci]] : ['npm', ci];
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) {
    console.error(`vectorium: "npm ci" failed${error ? `: ${error.message}` : ''}`);
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

const built = `${root}console/dist/.sources`;
const sources = digestOfSources();
if (read(built) !== sources) {
  console.error('vectorium: building the console (once)…');
  const node = `${root}node_modules/node/bin/node`;
  const vite = [`${root}node_modules/vite/bin/vite.js`, 'build', `${root}console`, '--logLevel', 'warn'];
  const { status, error } = spawnSync(node, vite, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) {
    console.error(`vectorium: the console could not be built${error ? `: ${error.message}` : '; the reason is above'}`);
    process.exit(1);
  }
  writeFileSync(built, sources);
}

/** Over everything that the build reads: the console, the contract, and the versions of packages. */
function digestOfSources() {
  const digest = createHash('sha256').update(lock);
  for (const folder of ['console', 'contract']) {
    const names = readdirSync(root + folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => `${entry.parentPath ?? entry.path}/${entry.name}`)
      .filter(path => !/[\\/](dist|node_modules)[\\/]|\.test\.tsx?$/.test(path.slice(root.length)))
      .toSorted();
    for (const name of names) digest.update(name.slice(root.length)).update(readFileSync(name));
  }
  return digest.digest('hex');
}

/** The text of a file, null where there is none. */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

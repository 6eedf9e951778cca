// How fast a file comes through each upload door, against a plain copy of the same file to the same disk in the same run.
//
// node bench/data/doors.ts [--gigabytes 1] [--folder /tmp]. The server is a process of its own; this process sends, and a
// thread of it asks the server for /livez every few milliseconds meanwhile.
import { fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { blockBytes, csvBlock } from './csv-block.ts';
import { startProbe } from './probe.ts';

interface Door {
  name: string;
  method: 'POST' | 'PUT' | 'PATCH';
  path: string;
  type: string;
  before: string;
  /** What one block of the file is on the way. */
  block: Buffer;
  after: string;
}

const path = '/api/v2/data/upload';
await main();

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { gigabytes: { type: 'string' }, folder: { type: 'string' } } });
  const blocks = Math.ceil((Number(values.gigabytes ?? 1) * 1e9) / blockBytes);
  const folder = values.folder ?? tmpdir();
  const block = csvBlock();
  const hash = createHash('sha256');
  for (let n = 0; n < blocks; n++) hash.update(block);
  const expected = { bytes: blocks * blockBytes, sha256: hash.digest('hex') };

  const copy = await copyMegabytesPerSecond(block, blocks, folder);
  console.log(
    `${(expected.bytes / 1e9).toFixed(2)} GB of CSV; ${cpus().length} × ${cpus()[0]?.model}; Node ${process.version}`,
  );
  console.log(`copy (cp, not waiting for the disk): ${copy.toFixed(0)} MB/s\n`);
  console.log(
    '| door | body MB/s | file MB/s | of the copy | processor time of the server, s a GB | memory grows, MB | GET p50 / p99 / longest, ms |',
  );
  console.log('|---|---|---|---|---|---|---|');

  const server = fork(new URL('doors-server.ts', import.meta.url), [folder], { stdio: 'inherit' });
  const [{ url, key }] = (await once(server, 'message')) as [{ url: string; key: string }];
  for (const door of doorsFor(block)) {
    await send(url, key, door, 20);
    await sleep(500);
    const before = residentMegabytes(server.pid);
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, residentMegabytes(server.pid))), 50);
    const probe = await startProbe(`${url}/livez`);
    const spentBefore = processorSeconds(server.pid);
    const begin = performance.now();
    const { answer, bodyBytes } = await send(url, key, door, blocks);
    const seconds = (performance.now() - begin) / 1000;
    const spent = (processorSeconds(server.pid) - spentBefore) / (expected.bytes / 1e9);
    clearInterval(watch);
    const times = await probe.stop();
    if (answer.sha256 !== expected.sha256 || answer.bytes !== expected.bytes) throw new Error(JSON.stringify(answer));
    const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
    const rates = [bodyBytes, expected.bytes].map(bytes => bytes / 1e6 / seconds);
    console.log(
      `| ${door.name} | ${rates.map(rate => rate.toFixed(0)).join(' | ')} | ${((rates[1] ?? 0) / copy).toFixed(2)} | ${spent.toFixed(2)} | ${peak - before} | ${at(0.5)} / ${at(0.99)} / ${at(1)} |`,
    );
  }
  server.send('stop');
  await once(server, 'exit');
}

function doorsFor(block: Buffer): Door[] {
  const base64 = block.toString('base64');
  const json = {
    method: 'POST',
    path,
    type: 'application/json',
    before: '{"format":"csv","file":"',
    after: '"}',
  } as const;
  const boundary = 'between-the-parts';
  return [
    { ...json, name: 'JSON', block: Buffer.from(base64) },
    { ...json, name: 'JSON with `\\/`', block: Buffer.from(base64.replaceAll('/', '\\/')) },
    {
      name: 'form',
      method: 'POST',
      path,
      type: `multipart/form-data; boundary=${boundary}`,
      before: `--${boundary}\r\ncontent-disposition: form-data; name="format"\r\n\r\ncsv\r\n--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n`,
      block,
      after: `\r\n--${boundary}--\r\n`,
    },
    {
      name: 'resumable, in one piece',
      method: 'PATCH',
      path: `${path}s`,
      type: 'application/offset+octet-stream',
      before: '',
      block,
      after: '',
    },
    { name: 'raw', method: 'PUT', path: `${path}?format=csv`, type: 'text/csv', before: '', block, after: '' },
  ];
}

async function send(
  url: string,
  key: string,
  door: Door,
  blocks: number,
): Promise<{ answer: { bytes: number; sha256: string }; bodyBytes: number }> {
  const bodyBytes = Buffer.byteLength(door.before) + blocks * door.block.length + Buffer.byteLength(door.after);
  const headers = { authorization: `Bearer ${key}`, 'content-type': door.type, 'content-length': bodyBytes };
  const resumable = door.method === 'PATCH' ? { 'tus-resumable': '1.0.0', 'upload-offset': 0 } : {};
  const place = door.method === 'PATCH' ? await beginResumable(url, key, bodyBytes) : door.path;
  const sending = request(url + place, { method: door.method, headers: { ...headers, ...resumable } });
  const answered = once(sending, 'response');
  sending.write(door.before);
  for (let n = 0; n < blocks; n++) if (!sending.write(door.block)) await once(sending, 'drain');
  sending.end(door.after);
  const [response] = (await answered) as [AsyncIterable<Buffer> & { statusCode: number }];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  if (response.statusCode !== 200) throw new Error(text);
  return { answer: JSON.parse(text) as { bytes: number; sha256: string }, bodyBytes };
}

/** Where to send the bytes. */
async function beginResumable(url: string, key: string, bytes: number): Promise<string> {
  const headers = {
    authorization: `Bearer ${key}`,
    'tus-resumable': '1.0.0',
    'upload-length': String(bytes),
    'upload-metadata': `format ${Buffer.from('csv').toString('base64')}`,
  };
  const answer = await fetch(`${url}${path}s`, { method: 'POST', headers });
  return answer.headers.get('location') ?? '';
}

async function copyMegabytesPerSecond(block: Buffer, blocks: number, folder: string): Promise<number> {
  const own = mkdtempSync(join(folder, 'vectorium-copy-'));
  try {
    const source = join(own, 'source');
    const file = await open(source, 'w');
    for (let n = 0; n < blocks; n++) await file.writeFile(block);
    await file.sync();
    await file.close();
    const begin = performance.now();
    const { status } = spawnSync('cp', ['--reflink=never', '--sparse=never', source, join(own, 'copy')]);
    const seconds = (performance.now() - begin) / 1000;
    if (status !== 0) throw new Error('cp failed');
    return (await stat(source)).size / 1e6 / seconds;
  } finally {
    rmSync(own, { recursive: true });
  }
}

function residentMegabytes(pid: number | undefined): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
}

/** User and system time of all threads; Linux counts in hundredths. */
function processorSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

// A real S3 server for tests, on a port of its own.
//
// `versitygw` (VECTORIUM_TEST_S3, or on the PATH) writes real files; where there is none, moto's server from PyPI is installed
// once into a cache. A machine that has neither Python nor versitygw skips what needs S3.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connectS3, type S3Connection } from '../files/s3.ts';

const run = promisify(execFile);
const motoPackages = ['moto[s3,server]==5.2.1'];
const startsWithinMs = 30_000;

export interface TestS3 {
  endpoint: string;
  /** Which program it is. */
  name: string;
  connection: S3Connection;
  stop(): Promise<void>;
}

/** Null where no server can be had. The AWS_ variables of the process are set to its keys. */
export async function startS3(): Promise<TestS3 | null> {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'tester',
    AWS_SECRET_ACCESS_KEY: 'testing-secret',
    AWS_REGION: 'us-east-1',
  });
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-s3-'));
  const port = await freePort();
  const started = (await startVersity(port, folder)) ?? (await startMoto(port));
  if (!started) {
    await rm(folder, { recursive: true });
    return null;
  }
  const endpoint = `http://127.0.0.1:${port}`;
  const connection = await connectS3({ endpoint, region: 'us-east-1' });
  const stop = async () => {
    connection.client.destroy();
    const ended = new Promise(resolve => started.process.once('exit', resolve));
    if (started.process.exitCode === null && started.process.kill('SIGKILL')) await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(endpoint);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, name: started.name, connection, stop };
}

interface Started {
  name: string;
  process: ChildProcess;
}

async function startVersity(port: number, folder: string): Promise<Started | null> {
  const program = process.env['VECTORIUM_TEST_S3'] ?? (await onPath('versitygw'));
  if (!program) return null;
  const keys = ['--access', 'tester', '--secret', 'testing-secret'];
  const command = [...keys, '--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', `${folder}/sidecar`];
  await mkdir(`${folder}/sidecar`);
  await mkdir(`${folder}/buckets`);
  return { name: 'versitygw', process: spawn(program, [...command, `${folder}/buckets`], { stdio: 'ignore' }) };
}

async function startMoto(port: number): Promise<Started | null> {
  const packages = await installMoto();
  if (packages === null) return null;
  const environment = { ...process.env, PYTHONPATH: packages };
  const command = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)];
  return { name: 'moto', process: spawn('python3', command, { stdio: 'ignore', env: environment }) };
}

async function installMoto(): Promise<string | null> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vectorium', 'python');
  const folder = join(cache, createHash('sha256').update(motoPackages.join(' ')).digest('hex').slice(0, 12));
  const unfinished = `${folder}.${process.pid}`;
  try {
    if (await exists(folder)) return folder;
    await mkdir(cache, { recursive: true });
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', unfinished, ...motoPackages]);
    await rename(unfinished, folder);
    return folder;
  } catch {
    await rm(unfinished, { recursive: true, force: true });
    return null;
  }
}

async function onPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    if (folder !== '' && (await exists(join(folder, name)))) return join(folder, name);
  return null;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

async function answering(endpoint: string): Promise<void> {
  for (const deadline = Date.now() + startsWithinMs; ; await sleep(50)) {
    try {
      await fetch(endpoint, { signal: AbortSignal.timeout(2000) });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

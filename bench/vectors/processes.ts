// Starts the measured programs as processes of their own, stops them, and reads how much memory they took.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Program {
  readonly pid: number;
  /** The line of output that said it was ready. */
  readonly readyLine: string;
  /** How it ended and its last words of error, when it has ended. */
  ending(): string | null;
  stop(): Promise<void>;
}

/** What is still running when the bench ends, for whatever reason, is stopped with it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

export function stopWithBench(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

/** Starts a command and waits until a line of its output satisfies `ready`. Throws with its last output if it ends before
 *  or is not ready within `timeoutMs`. */
export async function startProgram(
  command: readonly string[],
  options: { ready: (line: string) => boolean; environment?: Record<string, string>; timeoutMs?: number },
): Promise<Program> {
  const [file = '', ...parameters] = command;
  const env = { ...process.env, ...options.environment };
  // Into a file: what it says while it is measured is read by nobody, so that it costs the callers nothing.
  const folder = mkdtempSync(join(tmpdir(), 'bench-output-'));
  const path = join(folder, 'output');
  const output = openSync(path, 'w');
  const child = spawn(file, parameters, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  stopWithBench(child);
  let last: string[] | null = null;
  const lines = (): string[] => last ?? readFileSync(path, 'utf8').split('\n');
  child.once('exit', () => {
    last = lines();
    rmSync(folder, { recursive: true, force: true });
  });
  const deadline = performance.now() + (options.timeoutMs ?? 180_000);
  let failure: string | null = null;
  child.once('error', error => (failure = error.message));
  for (;;) {
    const said = lines();
    const readyLine = said.slice(0, -1).find(options.ready);
    if (readyLine !== undefined) return { pid: child.pid ?? 0, readyLine, ending, stop: () => stopChild(child) };
    if (child.exitCode !== null) failure = `it ended with ${child.exitCode} before it was ready`;
    if (performance.now() > deadline) failure = 'it was not ready in time';
    if (failure !== null) {
      child.kill('SIGKILL');
      const errors = said.filter(line => /error|caused by|missing|cannot/i.test(line));
      const words = errors.length > 0 ? errors.slice(0, 4) : said.slice(-4);
      throw new Error(`${failure}: ${words.join(' | ').trim().slice(-600) || 'it said nothing'}`);
    }
    await sleep(10);
  }

  function ending(): string | null {
    const how = child.exitCode ?? child.signalCode;
    return how === null ? null : `it ended with ${how}: ${lines().slice(-4).join(' ').trim().slice(-600)}`;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(timer);
}

export interface Memory {
  residentBytes: number;
  /** The sum of the highest values that the processes of the tree ever had. */
  peakBytes: number;
}

/** Memory of a process and all that it started; null where there is no /proc. */
export async function memoryOf(pid: number): Promise<Memory | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => null);
  if (status === null) return null;
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  const sum: Memory = { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
  for (const child of await childrenOf(pid)) {
    const memory = await memoryOf(child);
    sum.residentBytes += memory?.residentBytes ?? 0;
    sum.peakBytes += memory?.peakBytes ?? 0;
  }
  return sum;
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map(thread => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap(list => list.split(' ').filter(Boolean).map(Number));
}

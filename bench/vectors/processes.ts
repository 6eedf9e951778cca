// Starts the measured programs as processes of their own, stops them, and reads how much memory they took.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

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
  const child = spawn(file, parameters, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  stopWithBench(child);
  const output: string[] = [];
  let lastWords = '';
  const readyLine = await new Promise<string>((resolve, reject) => {
    const fail = (what: string) => {
      child.kill('SIGKILL');
      const errors = output.filter(line => /error|caused by|missing|cannot/i.test(line));
      const words = errors.length > 0 ? errors.slice(0, 4) : output.slice(-4);
      reject(new Error(`${what}: ${words.join(' | ').trim().slice(-600) || 'it said nothing'}`));
    };
    const timer = setTimeout(() => fail('it was not ready in time'), options.timeoutMs ?? 180_000);
    child.once('error', error => fail(error.message));
    const failAtExit = (code: number | null) => fail(`it ended with ${code} before it was ready`);
    child.once('exit', failAtExit);
    const readers = [child.stdout, child.stderr].map(input => createInterface({ input }));
    for (const reader of readers)
      reader.on('line', line => {
        output.push(line);
        if (!options.ready(line)) return;
        clearTimeout(timer);
        child.off('exit', failAtExit);
        for (const each of readers) each.close();
        // What it says from now on costs the measuring as little as can be.
        child.stdout.resume();
        child.stderr.on('data', (part: Buffer) => {
          lastWords = part.toString().slice(-600);
        });
        resolve(line);
      });
  });
  const ending = () => {
    const how = child.exitCode ?? child.signalCode;
    return how === null ? null : `it ended with ${how}${lastWords && `: ${lastWords}`}`;
  };
  return { pid: child.pid ?? 0, readyLine, ending, stop: () => stopChild(child) };
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

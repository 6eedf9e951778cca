// How busy the machine is: processor, memory, disk, and how late the event loop runs.
import { statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Machine {
  /** Of all cores, since the last look at least a second ago. */
  cpuPercent(): number;
  memory(): { totalBytes: number; availableBytes: number };
  /** Of the disk that holds `folder`. */
  diskPercent(folder: string): Promise<number>;
  /** Seconds by which timers were late since the last look. */
  eventLoopLag(): { mean: number; p99: number; max: number };
  close(): void;
}

const LOOK_MS = 1000;
const LAG_RESOLUTION_MS = 10;

export function watchMachine(): Machine {
  let before = cpuTimes();
  let percent = 0;
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  return {
    cpuPercent() {
      const now = cpuTimes();
      if (now.at - before.at >= LOOK_MS && now.total > before.total) {
        percent = (100 * (now.busy - before.busy)) / (now.total - before.total);
        before = now;
      }
      return tenths(percent);
    },
    memory() {
      const constrained = process.constrainedMemory();
      // Without a limit of its own group the call gives 0 or an absurdly large number.
      const limited = constrained > 0 && constrained < totalmem();
      return limited
        ? { totalBytes: constrained, availableBytes: Math.min(process.availableMemory(), constrained) }
        : { totalBytes: totalmem(), availableBytes: freemem() };
    },
    async diskPercent(folder) {
      const { blocks, bfree, bavail } = await statfs(folder);
      const used = blocks - bfree;
      // As df: what only the system's own user may still fill doesn't count as free.
      return used + bavail === 0 ? 0 : tenths((100 * used) / (used + bavail));
    },
    eventLoopLag() {
      const seen = { mean: lateness(lag.mean || 0), p99: lateness(lag.percentile(99)), max: lateness(lag.max) };
      lag.reset();
      return seen;
    },
    close: () => void lag.disable(),
  };
}

/** A tenth of a percent is all that anybody reads. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Seconds, from the nanoseconds between two ticks. */
function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1000);
}

function cpuTimes() {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    total += all;
    busy += all - times.idle;
  }
  return { busy, total, at: performance.now() };
}

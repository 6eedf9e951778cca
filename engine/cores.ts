// How many threads this process may keep busy: its control group's quota, where the host's core count would oversubscribe.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';

/** Whole cores from the control group's quota (v1 and v2), at most what the scheduler offers, at least one. */
export function availableCores(): number {
  const quota = cgroupQuota(path => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  });
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota)));
}

/**
 * Cores that the tightest control group above this process allows, Infinity without a limit.
 * `read` gives a file's text or null. Inside a container the own group is mounted as the root, so the path in
 * /proc/self/cgroup may not exist: every ancestor is asked, and the missing ones say nothing.
 */
export function cgroupQuota(read: (path: string) => string | null): number {
  let cores = Infinity;
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = line.match(/^\d+:([^:]*):(.*)$/) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const version2 = controllers === '';
    if (!version2 && !controllers.split(',').includes('cpu')) continue;
    const mounts = version2
      ? ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
      : ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'];
    for (const mount of mounts)
      for (const group of ancestors(path)) {
        const file = (name: string) => read(posix.join(mount, group, name));
        const [quota, period] = version2
          ? (file('cpu.max') ?? 'max').trim().split(' ').map(Number)
          : [Number(file('cpu.cfs_quota_us') ?? -1), Number(file('cpu.cfs_period_us') ?? 0)];
        if (quota !== undefined && period !== undefined && quota > 0 && period > 0)
          cores = Math.min(cores, quota / period);
      }
  }
  return cores;
}

function ancestors(path: string): string[] {
  const list = [path];
  while (path !== '/' && path !== '.') list.push((path = posix.dirname(path)));
  return list;
}

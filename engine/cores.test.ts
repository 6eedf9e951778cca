import { describe, expect, test } from 'vitest';
import { availableCores, cgroupQuota } from './cores.ts';

const from = (files: Record<string, string>) => cgroupQuota(path => files[path] ?? null);

describe('cores of the control group', () => {
  test('no control group, no limit', () => {
    expect(from({})).toBe(Infinity);
    expect(from({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' })).toBe(Infinity);
  });

  test('version 2: the tightest of all ancestors counts', () => {
    const files = {
      '/proc/self/cgroup': '0::/service/app\n',
      '/sys/fs/cgroup/service/app/cpu.max': '400000 100000\n',
      '/sys/fs/cgroup/service/cpu.max': '150000 100000\n',
    };
    expect(from(files)).toBe(1.5);
  });

  test('version 2 in a container: the own group is mounted as the root', () => {
    expect(from({ '/proc/self/cgroup': '0::/docker/abc\n', '/sys/fs/cgroup/cpu.max': '200000 100000\n' })).toBe(2);
  });

  test('version 1: quota over period, -1 is no limit', () => {
    expect(from(version1('300000\n'))).toBe(3);
    expect(from(version1('-1\n'))).toBe(Infinity);
  });

  test('this machine has at least one', () => {
    expect(availableCores()).toBeGreaterThanOrEqual(1);
  });
});

function version1(quota: string): Record<string, string> {
  return {
    '/proc/self/cgroup': '4:memory:/x\n3:cpu,cpuacct:/docker/abc\n0::/\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': quota,
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
  };
}

// Kills its process as soon as the parent, whose id it is given, is no longer that.
import { workerData } from 'node:worker_threads';

const everyMs = 50;
const parent: unknown = workerData;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, everyMs);

// The program that crash.test.ts kills: trains one job, and prints the id of the process that does it, and each epoch.
import { writeSync } from 'node:fs';
import { openTraining } from './open.ts';
import type { TrainJob } from './types.ts';

const [scratchFolder = '', json = ''] = process.argv.slice(2);
const job = JSON.parse(json) as TrainJob;
const training = openTraining({ scratchFolder, threads: 2, checkpointSeconds: 0, rowsInMemoryBytes: 2 ** 14 });
const services = { embed: () => Promise.reject(new Error('not called')) };
const run = training.train(job, services, {
  onEvent: (type, data) => writeSync(1, `${JSON.stringify({ type, ...data })}\n`),
});
writeSync(1, `${JSON.stringify({ type: 'process', id: training.processIds[0] })}\n`);
await run;
await training.close();

// A whole upload through the JSON door, from the first byte of base64 to a dataset: seconds, memory of all the server's processes, and
// how long a small GET takes meanwhile.
//
// node bench/data/upload.ts [--gigabytes 1]. The server is Vectorium as an operator starts it.
import { once } from 'node:events';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { memoryOf } from '../vectors/processes.ts';
import { startVectorium } from '../vectors/vectorium.ts';
import { blockBytes, csvBlock } from './csv-block.ts';
import { startProbe } from './probe.ts';

const { values } = parseArgs({ options: { gigabytes: { type: 'string', default: '1' } } });
/** A multiple of three bytes, as are the blocks, which end with a line: so base64 of the pieces is base64 of the file. */
const head = Buffer.from('number,customer,addresses,amount\n');
const lines = csvBlock();
const whole = lines.subarray(0, lines.lastIndexOf('\n') + 1);
const block = whole.subarray(0, lastLineAtMultipleOfThree(whole));
const first = Buffer.concat([head, block]);
const blocks = Math.round((Number(values.gigabytes) * 1e9) / block.length);

const vectorium = await startVectorium();
try {
  await upload(2);
  await sleep(2000);
  const idle = (await memoryOf(vectorium.program.pid))?.residentBytes ?? Number.NaN;
  let peak = idle;
  const watch = setInterval(async () => {
    peak = Math.max(peak, (await memoryOf(vectorium.program.pid))?.residentBytes ?? 0);
  }, 100);
  const probe = await startProbe(`${vectorium.origin}/livez`);
  const { rows, sentSeconds, seconds, bytes } = await upload(blocks);
  const times = await probe.stop();
  clearInterval(watch);
  const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
  console.log(
    `${(bytes / 1e9).toFixed(2)} GB of CSV as base64 in JSON; ${cpus().length} × ${cpus()[0]?.model}; Node ${process.version}`,
  );
  console.log(
    `${rows} rows; the body took ${sentSeconds.toFixed(1)} s (${((bytes * 4) / 3 / 1e6 / sentSeconds).toFixed(0)} MB/s of body), the dataset was there after ${seconds.toFixed(1)} s`,
  );
  console.log(
    `memory of all processes: ${(idle / 1e6).toFixed(0)} MB before, ${((peak - idle) / 1e6).toFixed(0)} MB more at its highest`,
  );
  console.log(`GET /livez meanwhile: p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`);
} finally {
  await vectorium.stop();
}

async function upload(count: number) {
  const [start, more] = [Buffer.from(first.toString('base64')), Buffer.from(block.toString('base64'))];
  const [before, after] = ['{"format":"csv","metadata":{"name":"orders"},"file":"', '"}'];
  const length = before.length + start.length + (count - 1) * more.length + after.length;
  const begin = performance.now();
  const sending = request(`${vectorium.origin}/api/v2/data/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${vectorium.key}`, 'content-type': 'application/json', 'content-length': length },
  });
  const answered = once(sending, 'response');
  sending.write(before);
  sending.write(start);
  for (let n = 1; n < count; n++) if (!sending.write(more)) await once(sending, 'drain');
  sending.end(after);
  await once(sending, 'finish');
  const sentSeconds = (performance.now() - begin) / 1000;
  const [response] = (await answered) as [AsyncIterable<Buffer> & { statusCode: number }];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  if (response.statusCode !== 200) throw new Error(text);
  const bytes = first.length + (count - 1) * block.length;
  const answer = JSON.parse(text) as { rows: number; size_bytes: number };
  if (answer.size_bytes !== bytes) throw new Error(`${answer.size_bytes} bytes arrived of ${bytes}`);
  return { rows: answer.rows, bytes, sentSeconds, seconds: (performance.now() - begin) / 1000 };
}

/** The end of the last line that leaves a multiple of three bytes. */
function lastLineAtMultipleOfThree(text: Buffer): number {
  for (let end = text.length; end > 0; end = text.lastIndexOf('\n', end - 2) + 1) if (end % 3 === 0) return end;
  throw new Error(`No line of ${blockBytes} bytes ends at a multiple of three`);
}

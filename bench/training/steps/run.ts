// Steps of training a second, beside PyTorch and beside the bare matrix products: `node bench/training/steps/run.ts [--seconds 2]
// [--rounds 5] [--threads 2]`.
//
// A perceptron with three hidden layers of one width and ten classes, batch 256, with clipping and AdamW: in Vectorium the graph
// that a training run uses, in PyTorch the usual loop with its fused optimiser. Bare are the products of the forward and the
// backward pass alone, in ONNX Runtime. All take turns in rounds, with the same number of threads; ratios are taken within a round.
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createTabular, type Feature, planTabular } from '@vectorium/nets';
import { gather, input, integers, matmul, reshape, toOnnx } from '@vectorium/tensor';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { environment } from '../../python.ts';
import { median } from '../../vectors/load.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
});
const [seconds, rounds, threads] = [Number(options.seconds), Number(options.rounds), Number(options.threads)];
const [batch, classes, stepsOfRun] = [256, 10, 20];
const peers = new URL('peers/', import.meta.url).pathname;

/** Gives the milliseconds a step, in a round of its own. */
interface Runner {
  round(): Promise<number>;
  close(): Promise<void>;
}

const python = join(await environment(join(peers, 'steps.txt')), 'python');
console.log(
  `${cpus()[0]?.model} × ${cpus().length}, ${threads} threads, Node ${process.version}, ONNX Runtime ${env.versions.common}\n`,
);
const titles = [
  'width',
  'Vectorium ms a step',
  'PyTorch ms',
  'bare products ms',
  'of PyTorch’s rate',
  'of the bare products’ rate',
  'tracing, session and first run beyond its steps, ms',
];
console.log(`| ${titles.join(' | ')} |\n|${titles.map(() => '---|').join('')}`);
for (const width of [256, 512, 1024]) {
  const began = performance.now();
  const ours = await vectorium(width);
  // Until the end of the first run, whose steps are taken off below.
  const started = performance.now() - began;
  const runners = [ours, await pytorch(width), await bareProducts(width)];
  const times: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const row: number[] = [];
    for (const runner of runners) row.push(await runner.round());
    times.push(row);
  }
  for (const runner of runners) await runner.close();
  const of = (system: number) => median(times.map(row => row[system] ?? NaN));
  const ratio = (system: number) => median(times.map(row => (row[system] ?? NaN) / (row[0] ?? NaN)));
  const cells = [of(0), of(1), of(2), ratio(1), ratio(2)].map(value => value.toFixed(2));
  const overhead = started - stepsOfRun * of(0);
  console.log(`| ${[width, ...cells, overhead.toFixed(0)].join(' | ')} |`);
}

async function vectorium(width: number): Promise<Runner> {
  const features = Array.from({ length: width }, (_, i): Feature => ({
    name: `x${i}`,
    kind: 'number',
    quantiles: [0, 1],
    mean: 0,
    deviation: 1,
    nulls: 0,
  }));
  const target = { kind: 'classes', counts: Array.from({ length: classes }, () => 1) } as const;
  const settings = { width, depth: 3, dropout: 0 };
  const network = createTabular(planTabular({ features, target, rows: 10_000 }, { algorithm: 'mlp', settings }));
  const session = await InferenceSession.create(network.steps(), { intraOpNumThreads: threads });
  const start = await InferenceSession.create(network.start(), { intraOpNumThreads: threads });
  const state = Object.entries(await start.run({})).map(
    ([name, tensor]) => [name.replace('next.', 'state.'), tensor] as const,
  );
  await start.release();
  const feeds = {
    ...Object.fromEntries(state),
    xs: random([stepsOfRun, batch, width]),
    ys: new Tensor(
      'float32',
      Float32Array.from({ length: stepsOfRun * batch }, (_, i) => i % classes),
      [stepsOfRun, batch],
    ),
    total: new Tensor('int64', [10_000n], []),
  };
  return timed(session, feeds, stepsOfRun);
}

async function bareProducts(width: number): Promise<Runner> {
  const sizes = [width, width, width, classes].map((outer, i) => ({ i, outer }));
  const inputs: Record<string, Tensor> = {};
  const given = (name: string, shape: number[]) => {
    inputs[name] = random(shape);
    return input(name, shape);
  };
  const products = sizes.flatMap(({ i, outer }) => {
    const forward = matmul(given(`x${i}`, [batch, width]), given(`w${i}`, [width, outer]));
    const weight = matmul(given(`a${i}`, [batch, width]), given(`g${i}`, [batch, outer]), { transA: true });
    const back = matmul(given(`d${i}`, [batch, outer]), given(`v${i}`, [width, outer]), { transB: true });
    return i === 0 ? [forward, weight] : [forward, weight, back];
  });
  // One element of each, so that none is left out and nothing else costs time.
  const outputs = products.map((product, i) => {
    const size = product.shape.reduce<number>((all, length) => all * Number(length), 1);
    return [`y${i}`, gather(reshape(product, [size]), integers([0]))] as const;
  });
  const session = await InferenceSession.create(toOnnx(Object.fromEntries(outputs)), { intraOpNumThreads: threads });
  return timed(
    session,
    Object.fromEntries(Object.entries(inputs).filter(([name]) => session.inputNames.includes(name))),
    1,
  );
}

async function pytorch(width: number): Promise<Runner> {
  const args = [join(peers, 'steps.py'), ...[width, batch, classes, threads, seconds].map(String)];
  const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done) throw new Error('PyTorch ended');
    return line.value;
  };
  await next();
  return {
    round: async () => {
      child.stdin.write('\n');
      return Number(await next());
    },
    close: async () => {
      child.stdin.end();
      await new Promise(resolve => child.once('exit', resolve));
    },
  };
}

async function timed(session: InferenceSession, feeds: Record<string, Tensor>, steps: number): Promise<Runner> {
  await session.run(feeds);
  return {
    round: async () => {
      const began = performance.now();
      let runs = 0;
      for (; performance.now() - began < seconds * 1000 || runs < 3; runs++) await session.run(feeds);
      return (performance.now() - began) / runs / steps;
    },
    close: () => session.release(),
  };
}

function random(shape: readonly number[]): Tensor {
  const length = shape.reduce((a, b) => a * b, 1);
  return new Tensor(
    'float32',
    Float32Array.from({ length }, () => Math.random() - 0.5),
    shape,
  );
}

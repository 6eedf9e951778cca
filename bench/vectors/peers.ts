// The other programs that turn the same texts into the same vectors, each in the ways that it can be run.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Door, openaiDoor } from './load.ts';
import { type Program, startProgram } from './processes.ts';
import { benchFolder } from '../python.ts';
import { peerModel, peerPrograms, PEERS } from './python.ts';

export interface Running {
  program: Program;
  door: Door;
  version: string;
  /** Seconds to encode all texts in one call inside the program, where there is such a call. */
  offline?: (texts: readonly string[], batchSize: number) => Promise<number>;
}
export interface Variant {
  how: string;
  start(): Promise<Running>;
}
export interface Peer {
  name: string;
  /** Ways to run it, the likely best first; the bench keeps the fastest. */
  variants: Variant[];
}

/** All the peers; whether one can run here shows when it is started. */
export function peers(modelFolder: string, cores: number): Peer[] {
  return [
    { name: 'FastEmbed', variants: [1, cores].map(atOnce => library('fastembed', { modelFolder, cores, atOnce })) },
    {
      name: 'sentence-transformers',
      variants: [1, cores].map(atOnce => library('sentence-transformers', { modelFolder, cores, atOnce })),
    },
    { name: 'Infinity', variants: ['torch', 'optimum'].map(engine => infinity(engine, modelFolder, cores)) },
    { name: 'TEI', variants: ['ONNX Runtime', 'candle'].map(backend => tei(backend, modelFolder, cores)) },
  ];
}

/** Every library of threads that a peer may use is told the number of cores; nothing is reported or fetched. */
const settings = (cores: number): Record<string, string> => ({
  ...Object.fromEntries(['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'RAYON_NUM_THREADS'].map(name => [name, String(cores)])),
  HF_HUB_OFFLINE: '1',
  TOKENIZERS_PARALLELISM: 'true',
  DO_NOT_TRACK: '1',
});

function library(
  name: 'fastembed' | 'sentence-transformers',
  { modelFolder, cores, atOnce }: { modelFolder: string; cores: number; atOnce: number },
): Variant {
  return {
    how: `behind a thin HTTP server, ${atOnce === 1 ? 'one call' : `${atOnce} calls`} at once of ${cores} threads`,
    async start() {
      const python = join(await peerPrograms('libraries'), 'python');
      const options = ['--library', name, '--model', await peerModel(modelFolder), '--threads', `${cores}`];
      const program = await startProgram([python, join(PEERS, 'serve.py'), ...options, '--at-once', `${atOnce}`], {
        ready: line => line.startsWith('{"port"'),
        environment: settings(cores),
      });
      const { port, version } = JSON.parse(program.readyLine) as { port: number; version: string };
      const origin = `http://127.0.0.1:${port}`;
      const offline = async (texts: readonly string[], batchSize: number) => {
        const body = JSON.stringify({ texts, batch_size: batchSize });
        const answer = await fetch(`${origin}/offline`, { method: 'POST', body });
        return ((await answer.json()) as { seconds: number }).seconds;
      };
      return { program, version, offline, door: openaiDoor(origin, { model: name }) };
    },
  };
}

function infinity(engine: string, modelFolder: string, cores: number): Variant {
  return {
    how: `its own server, ${engine} engine`,
    async start() {
      const programs = await peerPrograms('infinity');
      const port = await freePort();
      const options = ['--model-id', await peerModel(modelFolder), '--served-model-name', 'model', '--device', 'cpu'];
      // Its cache of answers on disk is off: the bench asks for the same texts more than once.
      const fair = ['--engine', engine, '--dtype', 'float32', '--no-vector-disk-cache'];
      const address = ['--host', '127.0.0.1', '--port', `${port}`, '--url-prefix', '/v1'];
      const program = await startProgram([join(programs, 'infinity_emb'), 'v2', ...options, ...fair, ...address], {
        ready: line => line.includes('Uvicorn running on'),
        environment: { ...settings(cores), INFINITY_ANONYMOUS_USAGE_STATS: '0' },
      });
      return { program, version: '0.0.78', door: openaiDoor(`http://127.0.0.1:${port}`, { model: 'model' }) };
    },
  };
}

function tei(backend: string, modelFolder: string, cores: number): Variant {
  return {
    how: `its own server, ${backend}`,
    async start() {
      const binary = process.env.VECTORIUM_BENCH_TEI;
      if (!binary) throw new Error('VECTORIUM_BENCH_TEI does not name its program');
      const port = await freePort();
      let folder = await peerModel(modelFolder);
      // It takes ONNX Runtime whenever the folder has an ONNX file, so candle needs a folder without.
      if (backend === 'candle') folder = await withoutOnnx(folder);
      const address = ['--hostname', '127.0.0.1', '--port', `${port}`, '--prometheus-port', `${await freePort()}`];
      const program = await startProgram([binary, '--model-id', folder, ...address], {
        ready: line => line.includes('Ready'),
        environment: settings(cores),
      });
      const { stdout } = await promisify(execFile)(binary, ['--version']);
      return {
        program,
        version: stdout.trim().split(' ').at(-1) ?? '',
        door: openaiDoor(`http://127.0.0.1:${port}`, { model: 'model' }),
      };
    },
  };
}

async function withoutOnnx(folder: string): Promise<string> {
  const other = join(benchFolder(), 'model-without-onnx');
  if (existsSync(other)) await rm(other, { recursive: true });
  await mkdir(other);
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', '1_Pooling'])
    await symlink(join(folder, name), join(other, name));
  return other;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

// The server as a process of its own, as people start it, with all that it writes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { testFolder } from '../../server/database/testing.ts';
import { prepareModel } from './setup.ts';

const program = fileURLToPath(new URL('../../server/vectorium.js', import.meta.url));

export interface ServerProcess {
  url: string;
  dataFolder: string;
  /** Standard output and error so far. */
  written(): string;
  /** Stops it in the ordinary way, and removes its folder. */
  end(): Promise<void>;
}

export async function startProcess(environment: Record<string, string> = {}): Promise<ServerProcess> {
  const { path: dataFolder, remove } = await testFolder();
  await prepareModel(dataFolder);
  const child = spawn(process.execPath, [program, 'serve'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH ?? '',
      HOST: '127.0.0.1',
      PORT: '0',
      VECTORIUM_DATA: dataFolder,
      VECTORIUM_PRELOAD: 'none',
      ...environment,
    },
  });
  let written = '';
  const ready = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      written += piece;
      const url = /"url":"(http:[^"]+)".*"server\.listening"|"server\.listening".*"url":"(http:[^"]+)"/.exec(written);
      // The lines for people come last.
      if (url && written.includes('The console:')) ready.resolve(url[1] ?? url[2] ?? '');
    });
  child.once('exit', code => ready.reject(new Error(`the server ended with ${code}: ${written}`)));
  const url = await ready.promise;
  return {
    url,
    dataFolder,
    written: () => written,
    async end() {
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      await remove();
    },
  };
}

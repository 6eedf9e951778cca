// The server that bad-requests.test.ts torments: routes that would answer at once, and its log on the standard output.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { routes } from '@vectorium/contract';
import { Raw, mount, mountProbes } from './index.ts';
import { createLogger } from './log.ts';
import { openParts, startServer } from './testing.ts';

const parts = await openParts();
const { close, url } = await startServer(
  parts,
  each => {
    const { vectorize, vectorizeBatch, embeddings, similarity, tokenize, getUsage, getOpenAIModel } = routes;
    for (const route of [vectorize, vectorizeBatch, embeddings, similarity, tokenize, getUsage, getOpenAIModel])
      mount(each, route, () => new Raw('{}'));
    mountProbes(each, () => ({ status: 'ready' }));
  },
  { log: createLogger() },
);
process.stdout.write(`${JSON.stringify({ url, key: parts.key.ordinary })}\n`);
const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();
process.once('SIGTERM', () => {
  const longest = { loop_p99_ms: delay.percentile(99) / 1e6, loop_longest_ms: delay.max / 1e6 };
  process.stdout.write(`${JSON.stringify(longest)}\n`);
  void close().then(parts.close);
});

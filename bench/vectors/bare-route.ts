// A bare Fastify route around the session: tokenizer, one session in a worker thread, base64 out. No keys, limits, money,
// batching or checks: what a route costs that does nothing but its work. Run as a program: `node bare-route.ts GRAPH FOLDER`.
import { availableCores } from '@vectorium/engine';
import { loadTokenizer } from '@vectorium/nets';
import fastify from 'fastify';
import { Sessions } from './sessions.ts';

const [graphPath = '', folder = ''] = process.argv.slice(2);
const tokenizer = await loadTokenizer(folder);
// The layout that is quickest for one caller.
const sessions = await Sessions.start(graphPath, { sessions: 1, threads: availableCores() });
const app = fastify();

app.post<{ Body: { input: string } }>('/v1/embeddings', async request => {
  const { ids } = tokenizer.encode(request.body.input);
  const [answer] = await sessions.run([[Int32Array.of(...tokenizer.before, ...ids, ...tokenizer.after)]]);
  const vector = answer?.values ?? new Float32Array();
  const length = Math.hypot(...vector);
  const bytes = Buffer.from(vector.map(value => value / length).buffer);
  return { object: 'list', data: [{ object: 'embedding', index: 0, embedding: bytes.toString('base64') }] };
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));

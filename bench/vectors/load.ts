// Callers that each send one text, wait for its vector and send the next, as many as asked for at once.
import { Agent, request } from 'node:http';

/** How to ask one program for the vector of one text. */
export interface Door {
  url: string;
  headers?: Record<string, string>;
  body(text: string): string;
  vector(answer: string): Float32Array;
}

export interface Load {
  seconds: number;
  /** One for each text, from sending the request to having its whole answer, in the order of the answers. */
  latenciesMs: number[];
}

/** Asks for every text once; each caller takes the next when it is free. Throws at the first answer other than 200. */
export async function callAll(door: Door, texts: Iterable<string>, callers: number): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers });
  const latenciesMs: number[] = [];
  const shared = texts[Symbol.iterator]();
  const caller = async () => {
    for (let next = shared.next(); !next.done; next = shared.next()) {
      const sent = performance.now();
      await post(door, next.value, agent);
      latenciesMs.push(performance.now() - sent);
    }
  };
  const started = performance.now();
  try {
    await Promise.all(Array.from({ length: callers }, caller));
  } finally {
    agent.destroy();
  }
  return { seconds: (performance.now() - started) / 1000, latenciesMs };
}

/** The vector of one text. */
export async function callOnce(door: Door, text: string): Promise<Float32Array> {
  const agent = new Agent();
  try {
    return door.vector((await post(door, text, agent)).toString());
  } finally {
    agent.destroy();
  }
}

function post(door: Door, text: string, agent: Agent): Promise<Buffer> {
  const body = Buffer.from(door.body(text));
  const headers = { 'content-type': 'application/json', 'content-length': body.length, ...door.headers };
  return new Promise((resolve, reject) => {
    const sent = request(door.url, { method: 'POST', agent, headers }, answer => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const whole = Buffer.concat(parts);
        if (answer.statusCode === 200) resolve(whole);
        else reject(new Error(`${door.url} answered ${answer.statusCode}: ${whole.toString().slice(0, 300)}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The door that OpenAI's clients use: one text in, base64 of little-endian float32 out. */
export function openaiDoor(origin: string, options: { model: string; key?: string }): Door {
  return {
    url: `${origin}/v1/embeddings`,
    headers: options.key ? { authorization: `Bearer ${options.key}` } : {},
    body: text => JSON.stringify({ model: options.model, input: text, encoding_format: 'base64' }),
    vector: answer => {
      const { data } = JSON.parse(answer) as { data: { embedding: string }[] };
      const bytes = Buffer.from(data[0]?.embedding ?? '', 'base64');
      return new Float32Array(new Uint8Array(bytes).buffer);
    },
  };
}

export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

// A thread that holds one form, compiled for one vocabulary: says of each answer which tokens may come next. Started by Form. A thread
// for each form, since the library can only be stopped with its thread when a form takes too long, and is of no more use when it fails.
import { parentPort, workerData } from 'node:worker_threads';
import type { FormThreadData, FromForm, ToForm } from './protocol.ts';

const port = parentPort;
if (!port) throw new Error('form-thread.ts runs in a worker thread');
const { grammar, pieces, ends }: FormThreadData = workerData;

// The library is a script for pages: it asks where it lies, and leaves itself with the globals, which are this thread's own.
Object.assign(globalThis, { location: { href: import.meta.url } });
await import('@mlc-ai/web-xgrammar');
const { TokenizerInfo, GrammarCompiler, GrammarMatcher } = (
  globalThis as unknown as { xgrammar: typeof import('@mlc-ai/web-xgrammar') }
).xgrammar;

const vocabulary = await TokenizerInfo.createTokenizerInfo([...pieces], 'byte_level', false, pieces.length, [...ends]);
const compiler = await GrammarCompiler.createGrammarCompiler(vocabulary, false);
const compiled = await compiler.compileGrammar(grammar);
const texts = new Map<number, Awaited<ReturnType<typeof GrammarMatcher.createGrammarMatcher>>>();

port.on('message', (message: ToForm) => void answer(message));
send({ type: 'ready' });

async function answer(message: ToForm): Promise<void> {
  const { text } = message;
  if (message.type === 'open') texts.set(text, await GrammarMatcher.createGrammarMatcher(compiled));
  const matcher = texts.get(text);
  if (!matcher) return;
  if (message.type === 'close') {
    matcher.dispose();
    texts.delete(text);
    return;
  }
  if (message.type === 'accept' && !matcher.acceptToken(message.id))
    throw new Error(`token ${message.id} is not of the form`);
  send({ type: 'allowed', text, tokens: await matcher.getNextTokenBitmask() });
}

function send(message: FromForm): void {
  port?.postMessage(message);
}

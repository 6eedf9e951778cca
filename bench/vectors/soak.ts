// Many minutes of the same load on Vectorium alone: does its memory stay where it is?
import { callAll } from './load.ts';
import { memoryOf } from './processes.ts';
import type { BenchText } from './texts.ts';
import { startVectorium } from './vectorium.ts';

/** 64 callers with mixed texts for `seconds`; prints a line every 30 s and gives them as a Markdown table. */
export async function soak(texts: readonly BenchText[], seconds: number): Promise<string> {
  const vectorium = await startVectorium();
  const lines = ['| minutes | tokens/s | resident MB |', '|--:|--:|--:|'];
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  let tokens = 0;
  const endless = function* () {
    for (let next = 0; elapsed() < seconds; next++) {
      const text = texts[next % texts.length];
      if (!text) return;
      tokens += text.ids.length;
      yield text.text;
    }
  };
  let reported = { tokens, at: 0 };
  const report = async () => {
    const memory = await memoryOf(vectorium.program.pid);
    const now = { tokens, at: elapsed() };
    const rate = (now.tokens - reported.tokens) / (now.at - reported.at);
    reported = now;
    const megabytes = memory ? Math.round(memory.residentBytes / 1e6) : 'not known';
    const line = `| ${(now.at / 60).toFixed(1)} | ${Math.round(rate)} | ${megabytes} |`;
    lines.push(line);
    console.log(line);
  };
  const timer = setInterval(() => void report(), 30_000);
  try {
    await callAll(vectorium.doors.openai, endless(), 64);
  } finally {
    clearInterval(timer);
    await vectorium.stop();
  }
  return lines.join('\n');
}

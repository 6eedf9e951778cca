// The thread of one learner: opens it, then answers one question after the other.
import { parentPort, workerData } from 'node:worker_threads';
import { Learner, type LearnerOptions } from './learner.ts';
import type { Answer, Question } from './network.ts';

const learner = Learner.open(workerData as LearnerOptions);
learner.then(
  () => send({ answer: null }),
  (error: unknown) => fail(error),
);

parentPort?.on('message', (question: Question) => {
  answer(question).catch((error: unknown) => fail(error));
});

async function answer(question: Question): Promise<void> {
  const open = await learner;
  if (question.kind === 'release') {
    await open.release();
    parentPort?.close();
  } else send({ answer: await open[question.kind](question.part) });
}

function fail(error: unknown): void {
  send({ error: error instanceof Error ? error.message : String(error) });
}

function send(message: Answer): void {
  parentPort?.postMessage(message, []);
}

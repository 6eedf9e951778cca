// What the caller chose, checked before anything is read.
import { TrainingError } from './errors.ts';
import type { TrainConfig } from './types.ts';

const algorithms: unknown[] = ['tabm', 'realmlp', 'mlp', 'linear'];

/** Throws TrainingError that names the setting. */
export function checkConfig(config: TrainConfig): void {
  check('epochs', config.epochs, { least: 1, most: 100_000, whole: true });
  check('batch_size', config.batchSize, { least: 1, most: 65_536, whole: true });
  check('learning_rate', config.learningRate, { least: 1e-9, most: 10 });
  check('validation_split', config.validationSplit, { least: 0, most: 0.5 });
  check('seed', config.seed, { least: 0, most: 2 ** 32 - 1, whole: true });
  check('max_seconds', config.maxSeconds, { least: 1, most: 31_536_000 });
  if (config.algorithm !== undefined && !algorithms.includes(config.algorithm))
    throw new TrainingError('INVALID_CONFIG', `algorithm is one of ${algorithms.join(', ')}`, 'config.algorithm');
}

function check(
  name: string,
  value: number | undefined,
  { least, most, whole = false }: { least: number; most: number; whole?: boolean },
): void {
  if (value === undefined || (value >= least && value <= most && (!whole || Number.isSafeInteger(value)))) return;
  const what = whole ? 'a whole number' : 'a number';
  throw new TrainingError('INVALID_CONFIG', `${name} is ${what} from ${least} to ${most}`, `config.${name}`);
}

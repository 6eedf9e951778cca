// Metrics against scikit-learn's numbers (fixtures/make.py), and the temperature against SciPy's optimum.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fitTemperature, tempered } from '../temperature.ts';
import { accuracyOf, areaUnderCurve, calibrationOf, confusionOf, f1Of, logLossOf, rocOf } from './classes.ts';
import { errorsOf, pairsOf, residualsOf } from './numbers.ts';

interface Case {
  classes: number;
  labels: number[];
  p: number[];
  accuracy: number;
  f1_macro: number;
  f1_weighted: number;
  auc: number;
  log_loss: number;
  expected_calibration_error: number;
  confusion: number[][];
  roc: [number, number][];
  temperature: number;
}

const fixture = JSON.parse(readFileSync(new URL('../fixtures/metrics.json', import.meta.url), 'utf8')) as {
  classes: Record<string, Case>;
  numbers: { actual: number[]; predicted: number[]; rmse: number; mae: number; r2: number };
};
const cases = Object.entries(fixture.classes).map(([name, { p, labels, ...rest }]) => ({
  name,
  p: Float64Array.from(p),
  labels: Float64Array.from(labels),
  ...rest,
}));

test.each(cases)('classes as scikit-learn measures them: $name', ({ p, labels, classes, ...expected }) => {
  const confusion = confusionOf(p, labels, classes);
  expect(confusion).toEqual(expected.confusion);
  const f1 = f1Of(confusion);
  expect(accuracyOf(p, labels, classes)).toBeCloseTo(expected.accuracy, 10);
  expect(f1.macro).toBeCloseTo(expected.f1_macro, 10);
  expect(f1.weighted).toBeCloseTo(expected.f1_weighted, 10);
  expect(areaUnderCurve(p, labels, classes)).toBeCloseTo(expected.auc, 10);
  expect(logLossOf(p, labels, classes)).toBeCloseTo(expected.log_loss, 10);
  expect(calibrationOf(p, { labels, classes }).expectedError).toBeCloseTo(expected.expected_calibration_error, 10);
});

test.each(cases)('every point of a ROC curve is one of scikit-learn’s, from corner to corner: $name', one => {
  const { p, labels, classes, roc } = one;
  const points = rocOf(p, { labels, classes, label: 1, most: 1000 });
  expect(points).toEqual(roc);
  const few = rocOf(p, { labels, classes, label: 1, most: 10 });
  expect(few.length).toBeLessThanOrEqual(12);
  for (const point of few) expect(roc).toContainEqual(point);
  expect([few[0], few.at(-1)]).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test.each(cases)('the temperature is the one with the least loss: $name', ({ p, labels, classes, temperature }) => {
  const fitted = fitTemperature(p, labels, classes);
  expect(fitted).toBeCloseTo(temperature, 3);
  const before = logLossOf(p, labels, classes);
  expect(logLossOf(tempered(p, classes, fitted), labels, classes)).toBeLessThanOrEqual(before + 1e-9);
});

test('a few rows that are all right do not make the probabilities certain', () => {
  const p = Float64Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0.8 : 0.2));
  expect(fitTemperature(p, new Float64Array(20), 2)).toBeGreaterThan(0.3);
});

test('numbers as scikit-learn measures them', () => {
  const [actual, predicted] = [fixture.numbers.actual, fixture.numbers.predicted].map(list => Float64Array.from(list));
  if (!actual || !predicted) throw new Error('the fixture has no numbers');
  const { rmse, mae, r2 } = errorsOf(predicted, actual);
  expect(rmse).toBeCloseTo(fixture.numbers.rmse, 10);
  expect(mae).toBeCloseTo(fixture.numbers.mae, 10);
  expect(r2).toBeCloseTo(fixture.numbers.r2, 10);
  expect(pairsOf(predicted, actual, 10)).toHaveLength(10);
  const bins = residualsOf(predicted, actual);
  expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(actual.length);
});

test('where all is the same, what can not be said is null', () => {
  const same = Float64Array.of(1, 1, 1);
  expect(errorsOf(same, same)).toEqual({ rmse: 0, mae: 0, r2: null });
  expect(residualsOf(same, same)).toEqual([{ from: 0, to: 0, count: 3 }]);
  expect(areaUnderCurve(Float64Array.of(0.1, 0.9, 0.2, 0.8), Float64Array.of(1, 1), 2)).toBeNull();
});

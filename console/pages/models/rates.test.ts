import { expect, test } from 'vitest';
import { type Point, areaUnder, precisionRecall } from './rates.ts';

// scikit-learn 1.7: y = [0, 0, 1, 1], scores = [0.1, 0.4, 0.35, 0.8]; roc_curve(drop_intermediate=False), roc_auc_score and
// precision_recall_curve of them.
const roc: Point[] = [
  [0, 0],
  [0, 0.5],
  [0.5, 0.5],
  [0.5, 1],
  [1, 1],
];

test("the area under a curve is scikit-learn's", () => {
  expect(areaUnder(roc)).toBe(0.75);
  expect(
    areaUnder([
      [0, 0],
      [1, 1],
    ]),
  ).toBe(0.5);
  expect(areaUnder([])).toBe(0);
});

test("precision and recall at the thresholds of a ROC curve are scikit-learn's", () => {
  expect(precisionRecall(roc, 2, 2)).toEqual([
    [0, 1],
    [0.5, 1],
    [0.5, 0.5],
    [1, 2 / 3],
    [1, 0.5],
  ]);
  expect(precisionRecall([], 0, 3)).toEqual([]);
});

// What predictions are worth in single numbers, for those who measure outside of a run; as a card has them.
import { accuracyOf, areaUnderCurve, calibrationOf, confusionOf, f1Of, logLossOf } from './metrics/classes.ts';
import { errorsOf } from './metrics/numbers.ts';

/** `p` are probabilities [rows, classes], `labels` the true classes by number. */
export function metricsOfClasses(p: Float64Array, labels: Float64Array, classes: number): Record<string, number> {
  const f1 = f1Of(confusionOf(p, labels, classes));
  const auc = areaUnderCurve(p, labels, classes);
  return {
    accuracy: accuracyOf(p, labels, classes),
    f1_macro: f1.macro,
    f1_weighted: f1.weighted,
    ...(auc !== null && { auc }),
    log_loss: logLossOf(p, labels, classes),
    expected_calibration_error: calibrationOf(p, { labels, classes }).expectedError,
  };
}

export function metricsOfNumbers(predicted: Float64Array, actual: Float64Array): Record<string, number> {
  const { rmse, mae, r2 } = errorsOf(predicted, actual);
  return { rmse, mae, ...(r2 !== null && { r2 }) };
}

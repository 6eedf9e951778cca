// Curves of a classifier over every threshold, one class against the rest: how many it finds, and how many of those it names are right.

export type Point = readonly [x: number, y: number];

/** As the card has it: shares of false and of true positives, ascending; none where a class was not among the rows. */
export interface ClassRates {
  label: string | number | boolean;
  points: readonly Point[];
}

/** The area under points whose x ascend, by trapezoids. */
export function areaUnder(points: readonly Point[]): number {
  let area = 0;
  for (const [index, [x, y]] of points.entries()) {
    const before = points[index - 1];
    if (before) area += ((x - before[0]) * (y + before[1])) / 2;
  }
  return area;
}

/**
 * Recall and precision at the thresholds of a ROC curve: with P rows of the class and N others, precision is tpr P / (tpr P + fpr N).
 * Where nothing is named yet, it is that of the first threshold.
 */
export function precisionRecall(points: readonly Point[], positives: number, negatives: number): Point[] {
  const curve = points.flatMap(([fpr, tpr]): Point[] => {
    const named = tpr * positives + fpr * negatives;
    return named > 0 ? [[tpr, (tpr * positives) / named]] : [];
  });
  const first = curve[0];
  return first && first[0] > 0 ? [[0, first[1]], ...curve] : curve;
}

// Which model runs next. Pure: start-time fair queueing (Goyal, Vin, Cheng 1996).
//
// A batch starts at the service that its model has had, but not before that at which the latest batch started: time that
// a model did not use, idle or loading, gives it no claim. So a model is never ahead of that start by more than its own
// last batch, and none waits for another to catch up with what it computed while it was alone.

export interface Served {
  /** Estimated milliseconds of compute given to this model. */
  service: number;
}

/** The service at which the model's next batch starts, when the latest batch of any model started at `servedUpTo`. */
export function startOf({ service }: Served, servedUpTo: number): number {
  return Math.max(service, servedUpTo);
}

/** The model whose batch starts first; `ready` is asked only of one that would be it. */
export function nextTurn<T extends Served>(
  models: Iterable<T>,
  servedUpTo: number,
  ready: (model: T) => boolean,
): T | null {
  let next: T | null = null;
  for (const model of models)
    if ((!next || startOf(model, servedUpTo) < startOf(next, servedUpTo)) && ready(model)) next = model;
  return next;
}

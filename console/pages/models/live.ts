// A training as it happens: its epochs, how far it is, and what it began with, from the events of its job.
import { useEffect, useReducer } from 'react';
import { type Answer, queries } from '../../api/index.ts';
import { follow } from '../../api/follow.ts';
import { isOver } from './status.tsx';

type Model = Answer<'getTrainedModel'>;
export type Epoch = Model['curves'][number];

export interface Started {
  rows: { training: number; validation: number; test: number };
  features: number;
  algorithm: string;
  parameters: number;
}

export interface Live {
  epochs: readonly Epoch[];
  progress: number;
  started: Started | null;
}

type News =
  | { kind: 'begin'; epochs: readonly Epoch[]; progress: number }
  | { kind: 'news'; epochs: readonly Epoch[]; progress: number | null; started: Started | null };

/** Events that come within this time are drawn at once. */
const gatherMs = 120;

export function useLive(model: Model): Live {
  const [live, put] = useReducer(change, { epochs: model.curves, progress: model.progress, started: null });
  const { model_id: id, status } = model;
  const over = isOver(status);
  useEffect(() => {
    if (over) put({ kind: 'begin', epochs: model.curves, progress: model.progress });
  }, [over, model.curves, model.progress]);
  useEffect(() => {
    if (over) return undefined;
    const controller = new AbortController();
    let gathered: Epoch[] = [];
    let [progress, started]: [number | null, Started | null] = [null, null];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      put({ kind: 'news', epochs: gathered, progress, started });
      gathered = [];
    };
    void follow('getModelEvents', {
      id,
      signal: controller.signal,
      onEvent: ({ event, data }) => {
        const value: unknown = JSON.parse(data);
        if (event === 'epoch') gathered.push(value as Epoch);
        else if (event === 'progress') progress = (value as { progress: number }).progress;
        else if (event === 'started') started = value as Started;
        timer ??= setTimeout(flush, gatherMs);
      },
    })
      // Whatever ended it, the model itself says what became of it.
      .catch(() => {})
      .finally(() => {
        if (controller.signal.aborted) return;
        for (const route of ['getTrainedModel', 'listTrainedModels'] as const)
          void queries.invalidateQueries({ queryKey: [route] });
      });
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [id, over]);
  return live;
}

/** An interrupted training tells some epochs again: each is kept once, the later telling. */
function change(live: Live, news: News): Live {
  if (news.kind === 'begin') return { ...live, epochs: news.epochs, progress: news.progress };
  const [first] = news.epochs;
  const before = first ? live.epochs.filter(({ epoch }) => epoch < first.epoch) : live.epochs;
  return {
    epochs: first ? [...before, ...news.epochs] : live.epochs,
    progress: news.progress ?? live.progress,
    started: news.started ?? live.started,
  };
}

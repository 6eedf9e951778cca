// The events of a job as they happen.
import { useEffect, useState } from 'react';
import { follow } from './follow.ts';
import { queries } from './queries.ts';

export interface JobEvent {
  id: string;
  event: string;
  data: unknown;
}

/** Events that come within this time are shown at once. */
const gatherMs = 120;

/**
 * For one job in a component's life: give the component the job's id as its key. `live` until the job has ended. When events came, the
 * answers about the job are read again.
 */
export function useJobEvents(id: string): { events: readonly JobEvent[]; live: boolean } {
  const [state, setState] = useState<{ events: readonly JobEvent[]; live: boolean }>({ events: [], live: true });
  useEffect(() => {
    const controller = new AbortController();
    let gathered: JobEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      const news = gathered;
      gathered = [];
      setState(before => ({ ...before, events: [...before.events, ...news] }));
      void queries.invalidateQueries({ queryKey: ['getJob'] });
    };
    void follow('getJobEvents', {
      id,
      signal: controller.signal,
      onEvent: ({ id: number, event, data }) => {
        gathered.push({ id: number ?? '', event, data: parsed(data) });
        timer ??= setTimeout(show, gatherMs);
      },
    })
      // A refusal is said by the answer about the job itself.
      .catch(() => {})
      .finally(() => {
        if (controller.signal.aborted) return;
        setState(before => ({ ...before, live: false }));
        for (const route of ['getJob', 'listJobs'] as const) void queries.invalidateQueries({ queryKey: [route] });
      });
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [id]);
  return state;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

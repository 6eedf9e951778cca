// The events of a job as they happen; a connection that broke is taken up again after the last one that came.
import { useEffect, useState } from 'react';
import { send } from './client.ts';
import { serverEvents } from './event-stream.ts';
import { queries } from './queries.ts';

export interface JobEvent {
  id: string;
  event: string;
  data: unknown;
}

const againMs = 1500;

/** For one job in a component's life: give the component the job's id as its key. `live` until the job has ended. At each event, the answers about the job are read again. */
export function useJobEvents(id: string): { events: readonly JobEvent[]; live: boolean } {
  const [state, setState] = useState<{ events: readonly JobEvent[]; live: boolean }>({ events: [], live: true });
  useEffect(() => {
    const stop = new AbortController();
    const watch = async () => {
      await follow(id, stop.signal, event => {
        setState(before => ({ ...before, events: [...before.events, event] }));
        void queries.invalidateQueries({ queryKey: ['getJob'] });
      });
      if (stop.signal.aborted) return;
      setState(before => ({ ...before, live: false }));
      void queries.invalidateQueries({ queryKey: ['getJob'] });
      void queries.invalidateQueries({ queryKey: ['listJobs'] });
    };
    void watch();
    return () => stop.abort();
  }, [id]);
  return state;
}

/** Ends when the server ended the stream, because the job is over, or at a refusal. */
async function follow(id: string, signal: AbortSignal, take: (event: JobEvent) => void): Promise<void> {
  let last: string | null = null;
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', ...(last !== null && { 'last-event-id': last }) };
      const { body } = await send('getJobEvents', { params: { id } }, { signal, headers });
      if (!body) return;
      for await (const { id: number, event, data } of serverEvents(body)) {
        if (number !== null) last = number;
        take({ id: last ?? '', event, data: parsed(data) });
      }
      return;
    } catch (error) {
      if (signal.aborted || (error as { status?: number }).status) return;
      await new Promise(resolve => {
        setTimeout(resolve, againMs);
      });
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

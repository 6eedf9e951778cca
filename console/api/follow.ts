// Follows the events of a job until it has ended, across broken connections.
import { type RouteName, send } from './client.ts';
import { type ServerEvent, serverEvents } from './event-stream.ts';
import { ApiProblem } from './problem.ts';

const [firstPauseMs, longestPauseMs] = [500, 10_000];

/** Calls `onEvent` for each event after the last that was seen; returns when the stream has ended for good. */
export async function follow(
  name: Extract<RouteName, 'getJobEvents' | 'getModelEvents'>,
  { id, onEvent, signal }: { id: string; onEvent: (event: ServerEvent) => void; signal: AbortSignal },
): Promise<void> {
  let last: string | null = null;
  let pauseMs = firstPauseMs;
  for (;;) {
    try {
      const headers = { accept: 'text/event-stream', ...(last !== null && { 'last-event-id': last }) };
      const response = await send(name, { params: { id } }, { signal, headers });
      // 204: it has ended, and nothing came after the last event.
      if (response.status === 204 || !response.body) return;
      for await (const event of serverEvents(response.body)) {
        last = event.id ?? last;
        pauseMs = firstPauseMs;
        onEvent(event);
        if (event.event === 'status' && /"(succeeded|failed|cancelled)"/.test(event.data)) return;
      }
    } catch (problem) {
      if (signal.aborted) return;
      if (problem instanceof ApiProblem && problem.status >= 400 && problem.status < 500 && problem.status !== 429)
        throw problem;
    }
    await new Promise(resolve => setTimeout(resolve, pauseMs));
    if (signal.aborted) return;
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

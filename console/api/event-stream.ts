// Server-sent events over fetch, because EventSource can name no account and send no body.

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** The events of a response's body as they come, as https://html.spec.whatwg.org/#parsing-an-event-stream reads them. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const parse = eventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Takes the pieces of a stream, wherever it was cut, and gives the events that are complete. */
export function eventParser(): (piece: string) => ServerEvent[] {
  let rest = '';
  let id: string | null = null;
  let event = '';
  let data: string[] = [];
  return piece => {
    const found: ServerEvent[] = [];
    // A carriage return at the end may be half of a line's end.
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) found.push({ id, event: event || 'message', data: data.join('\n') });
        [event, data] = ['', []];
        continue;
      }
      const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (name === 'data') data.push(value);
      else if (name === 'event') event = value;
      else if (name === 'id') id = value;
    }
    return found;
  };
}

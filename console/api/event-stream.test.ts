import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventParser, serverEvents } from './event-stream.ts';

const stream =
  'retry: 2000\n\nid: 1\nevent: status\ndata: {"status":"running"}\n\n: heartbeat\n\nid: 2\ndata: two\r\ndata:lines\r\n\r\ndata: [DONE]\n\nid: 3\ndata: broken off';
const events = [
  { id: '1', event: 'status', data: '{"status":"running"}' },
  { id: '2', event: 'message', data: 'two\nlines' },
  { id: '2', event: 'message', data: '[DONE]' },
];

test('events come out whole wherever the stream was cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), cuts => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const parse = eventParser();
      expect(places.flatMap((at, index) => parse(stream.slice(at, places[index + 1] ?? at)))).toEqual(events);
    }),
  );
});

test('a character that two pieces share is read once', async () => {
  const bytes = new TextEncoder().encode('data: çığ 🐧\n\n');
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  expect(await Array.fromAsync(serverEvents(body))).toEqual([{ id: null, event: 'message', data: 'çığ 🐧' }]);
});

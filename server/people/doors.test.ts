// What must not get in: addresses that lead elsewhere, guesses that aren't counted, mail that nobody asked for, links that outlived their
// reason. Over real PGlite and real HTTP.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendRaw } from '../http/testing.ts';
import { type TestPeople, openPeople, password } from './testing.ts';

let it: TestPeople;
beforeAll(async () => {
  it = await openPeople();
});
afterAll(() => it.close());

test('a Host that is more than a host is refused: it chooses no other address', async () => {
  await it.signedUp('hosted');
  const body = JSON.stringify({ name: 'Ada', email: 'hosted@example.com', password });
  for (const host of ['h/console/auth/sign-in/email?x=', 'h?x=', 'h#x', 'a b', 'u@h', 'h:0x50', '']) {
    const head = [
      'POST /console/auth/sign-up/email HTTP/1.1',
      `Host: ${host}`,
      `Origin: http://${host}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ];
    const answer = await sendRaw(it.server.url, [`${head.join('\r\n')}\r\n\r\n${body}`], { quietMs: 50 });
    expect([host, answer.slice(0, 12), /set-cookie/i.test(answer)]).toEqual([host, 'HTTP/1.1 400', false]);
  }
});

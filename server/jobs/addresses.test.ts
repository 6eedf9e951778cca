// A webhook reaches no address that only this server can reach.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { checkedLookup, mayConnect, whyRefused } from './addresses.ts';

test.each([
  ['8.8.8.8', true],
  ['2606:4700::1111', true],
  ['::ffff:8.8.8.8', true],
  ['127.0.0.1', false],
  ['127.9.9.9', false],
  ['::1', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:7f00:1', false],
  ['::7f00:1', false],
  ['10.1.2.3', false],
  ['172.31.0.1', false],
  ['192.168.1.1', false],
  ['100.64.0.1', false],
  ['169.254.169.254', false],
  ['0.0.0.0', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['fd12::1', false],
  ['fe80::1', false],
  ['fe80::1%eth0', false],
  ['ff02::1', false],
  ['64:ff9b::a00:1', false],
  ['2002:a00:1::', false],
])('%s is public: %s', (address, open) => {
  expect(mayConnect(address, 'https:', 'public')).toBe(open);
  expect(mayConnect(address, 'http:', 'public')).toBe(false);
});

test('the operator may open the loopback, or private networks too, but nothing opens the metadata service', () => {
  expect(mayConnect('127.0.0.1', 'http:', 'loopback')).toBe(true);
  expect(mayConnect('10.0.0.1', 'https:', 'loopback')).toBe(false);
  expect(mayConnect('10.0.0.1', 'http:', 'private')).toBe(true);
  expect(mayConnect('169.254.169.254', 'http:', 'private')).toBe(false);
  expect(mayConnect('8.8.8.8', 'http:', 'private')).toBe(false);
});

test('a name is judged by where it leads, also at the moment of connecting', async () => {
  expect(await whyRefused('https://localhost/', 'public')).toContain('not public');
  expect(await whyRefused('https://localhost/', 'loopback')).toBeNull();
  const server = createServer((_request, response) => response.end('inside')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const status = (targets: 'public' | 'loopback'): Promise<unknown> =>
    new Promise(resolve => {
      const lookup = checkedLookup('http:', targets);
      const sent = request(`http://localhost:${port}/`, { lookup, agent: false }, response =>
        resolve(response.statusCode),
      );
      sent.on('error', error => resolve(error.message)).end();
    });
  expect(await status('public')).toContain('not allowed');
  expect(await status('loopback')).toBe(200);
  server.close();
});

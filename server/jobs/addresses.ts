// Which addresses webhooks may be sent to. Whoever sets a webhook chooses where this server connects to, so it must not reach what only
// the server can: its own machine, its network, the metadata service of a cloud.
import { lookup } from 'node:dns';
import { lookup as resolve } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** `public`: https to public addresses; `loopback`: also this machine, also by http; `private`: also private networks, also by http. */
export const webhookTargets = ['public', 'loopback', 'private'] as const;
export type WebhookTargets = (typeof webhookTargets)[number];

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Networks of organisations (RFC 1918, 4193, 6598). */
const privateNetworks = new BlockList();
for (const [net, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  privateNetworks.addSubnet(net, prefix, 'ipv4');
privateNetworks.addSubnet('fc00::', 7, 'ipv6');

/** What else is no host of the public network (IANA's registries of special-purpose addresses), and ways to write IPv4 in IPv6. */
const special = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  special.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  special.addSubnet(net, prefix, 'ipv6');

/** Whether an address may be connected to by this protocol (`https:` or `http:`). */
export function mayConnect(address: string, protocol: string, targets: WebhookTargets): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = isIP(mapped) === 4 ? 'ipv4' : 'ipv6';
  if (/^::ffff:/i.test(mapped)) return false;
  if (loopback.check(mapped, family)) return targets !== 'public';
  if (privateNetworks.check(mapped, family)) return targets === 'private';
  return !special.check(mapped, family) && protocol === 'https:';
}

/** Why a webhook may not have this address; null when it may. A name that doesn't resolve now may later. */
export async function whyRefused(text: string, targets: WebhookTargets): Promise<string | null> {
  const url = URL.parse(text);
  const plain = url?.protocol === 'http:';
  if (!url || (url.protocol !== 'https:' && !plain)) return 'must be an https address';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  const found = await resolve(hostOf(url), { all: true }).catch(() => []);
  const open = found.every(({ address }) => mayConnect(address, url.protocol, targets));
  if (plain) return open && found.length > 0 ? null : 'must be an https address';
  return open ? null : 'leads to an address that is not public';
}

/** For a connection: resolves, and lets it go nowhere but to addresses that were checked. */
export function checkedLookup(protocol: string, targets: WebhookTargets): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, { all: true }, (error, found) => {
      const [first] = found ?? [];
      if (error || !first) return callback(error, '');
      if (found.some(({ address }) => !mayConnect(address, protocol, targets)))
        return callback(new Error(`${hostname} leads to an address that is not allowed`), '');
      return options.all ? callback(null, found) : callback(null, first.address, first.family);
    });
}

/** The host as an address or a name: the brackets of IPv6 are the address bar's. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

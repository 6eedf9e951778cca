// Money as whole picodollars: a price of $0.002 for a million tokens is 2,000 of them for one, and sums are exact.

export const picodollarsPerUsd = 1_000_000_000_000n;

/** From a decimal number such as 10, 0.0035 or "2.50", to the picodollar. Throws RangeError when it is no amount. */
export function usdToPicodollars(usd: number | string): bigint {
  const text = typeof usd === 'number' ? decimal(usd) : usd.trim();
  const parts = /^(-?)(\d{1,15})(?:\.(\d{1,12}))?$/.exec(text);
  if (!parts) throw new RangeError(`${usd} is not an amount in US dollars`);
  const [, sign, whole = '0', fraction = ''] = parts;
  const amount = BigInt(whole) * picodollarsPerUsd + BigInt(fraction.padEnd(12, '0'));
  return sign ? -amount : amount;
}

/** A number for JSON answers; exact up to about $9,000 and to 16 digits beyond. */
export function picodollarsToUsd(picodollars: bigint): number {
  return Number(formatUsd(picodollars));
}

/** All digits and no others: "0.000254", "12". */
export function formatUsd(picodollars: bigint): string {
  const sign = picodollars < 0n ? '-' : '';
  const digits = (picodollars < 0n ? -picodollars : picodollars).toString().padStart(13, '0');
  const fraction = digits.slice(-12).replace(/0+$/, '');
  return `${sign}${digits.slice(0, -12)}${fraction ? `.${fraction}` : ''}`;
}

/** Without the exponent that small numbers have in JavaScript (2e-7), and without the noise of 0.1 + 0.2. */
function decimal(usd: number): string {
  const text = String(usd);
  return /^-?\d+(\.\d{1,12})?$/.test(text) ? text : usd.toFixed(12);
}

// Secrets of keys: how they are made, and what is kept of them.
import { createHash, randomInt } from 'node:crypto';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 40 digits of base 62 are 238 bits. */
const length = 40;

/** `sk-` and 238 random bits in base 62. */
export function makeSecret(): string {
  let secret = 'sk-';
  for (let index = 0; index < length; index++) secret += digits.charAt(randomInt(digits.length));
  return secret;
}

/**
 * What is stored and looked up. A plain SHA-256 is enough for secrets that can't be guessed. Looking it up in an index may tell by its
 * timing how much of a hash is right, which tells nothing about the secret.
 */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** The end of a secret, by which people recognise it in a list. */
export function hintOf(secret: string): string {
  return secret.slice(-4);
}

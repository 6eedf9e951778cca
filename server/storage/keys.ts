// Names of objects: paths that mean the same in a folder and in a bucket, and never lead out of either.

/** There is no object under this key. */
export class ObjectNotFound extends Error {
  override readonly name = 'ObjectNotFound';
  readonly key: string;
  constructor(key: string) {
    super(`There is no object ${key}`);
    this.key = key;
  }
}

const segment = '(?!\\.{1,2}(?:/|$))[\\w.@=+-]{1,200}';
const keyPattern = new RegExp(`^${segment}(?:/${segment})*$`);
const maxKeyLength = 900;

/** Throws for what is no key: absolute, with `..`, empty parts, or characters that not every file system and bucket takes. */
export function checkKey(key: string): void {
  if (key.length > maxKeyLength || !keyPattern.test(key)) throw new Error(`"${key}" is no key of the storage`);
}

/** As `checkKey`; the prefix of all keys below a folder ends with a slash, and '' is the prefix of all. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.replace(/\/$/, ''));
}

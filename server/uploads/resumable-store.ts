// Unfinished uploads on the local disk, as the tus library wants to have them: they outlive the server.
//
// 1. An upload is a folder: `upload.json` says what it is and whose, `file` has the bytes so far. Its length is the offset.
// 2. Nobody sees another account's: it is not there.
// 3. An upload whose bytes are all there but whose answer was never written (the server died while the dataset was made) gives
//    up its last byte, so that the client sends that again and the making begins anew.
// 4. What is older than `expiresAfterMs` goes, finished or not.
import { mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DataStore, ERRORS, Upload } from '@tus/server';
import { tryLock } from '../files/lock.ts';

interface Kept {
  accountId: string;
  size: number;
  metadata: Record<string, string | null>;
  createdAt: string;
  /** The JSON of the answer, once the upload is done. */
  answer: string | null;
}

export type Append = (path: string, bytes: Readable, offset: number) => Promise<number>;

export class ResumableFiles {
  readonly folder: string;
  readonly expiresAfterMs: number;
  /** Uploads whose dataset is being made here. */
  readonly finishing = new Set<string>();

  constructor(folder: string, expiresAfterMs: number) {
    this.folder = folder;
    this.expiresAfterMs = expiresAfterMs;
  }

  fileOf(id: string): string {
    return join(this.folder, id, 'file');
  }

  /** Throws tus's FILE_NOT_FOUND, also for another account's. */
  async find(id: string, accountId: string): Promise<Kept> {
    const kept = /^[\da-f-]{36}$/.test(id) ? await this.#read(id) : null;
    if (kept?.accountId !== accountId) throw ERRORS.FILE_NOT_FOUND;
    return kept;
  }

  async create(id: string, kept: Kept): Promise<void> {
    await mkdir(join(this.folder, id), { recursive: true });
    await writeFile(this.fileOf(id), '');
    await this.#write(id, kept);
  }

  async finish(id: string, kept: Kept, answer: string): Promise<void> {
    await this.#write(id, { ...kept, answer });
    await rm(this.fileOf(id), { force: true });
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.folder, id), { recursive: true, force: true });
  }

  /** Bytes that an account's unfinished uploads have been promised. */
  async promisedBytes(accountId: string): Promise<number> {
    let bytes = 0;
    for (const id of await this.#ids()) {
      const kept = await this.#read(id);
      if (kept?.accountId === accountId && kept.answer === null) bytes += kept.size;
    }
    return bytes;
  }

  /** All of an account, also those whose bytes still come: their next piece finds nothing. */
  async removeOf(accountId: string): Promise<void> {
    for (const id of await this.#ids()) if ((await this.#read(id))?.accountId === accountId) await this.remove(id);
  }

  /** The number of those removed. */
  async removeExpired(): Promise<number> {
    let removed = 0;
    for (const id of await this.#ids()) {
      const kept = await this.#read(id);
      const createdMs = kept ? Date.parse(kept.createdAt) : await madeMs(join(this.folder, id));
      if (this.finishing.has(id) || createdMs + this.expiresAfterMs > Date.now()) continue;
      await this.remove(id);
      removed++;
    }
    return removed;
  }

  async #ids(): Promise<string[]> {
    return readdir(this.folder).catch(() => []);
  }

  async #read(id: string): Promise<Kept | null> {
    const text = await readFile(join(this.folder, id, 'upload.json'), 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as Kept);
  }

  async #write(id: string, kept: Kept): Promise<void> {
    const path = join(this.folder, id, 'upload.json');
    await writeFile(`${path}.new`, JSON.stringify(kept), { flush: true });
    await rename(`${path}.new`, path);
  }
}

/** The store as one account's request sees it. */
export class AccountStore extends DataStore {
  override readonly extensions = ['creation', 'creation-with-upload', 'termination', 'expiration'];
  readonly #files: ResumableFiles;
  readonly #accountId: string;
  readonly #append: Append;

  constructor(files: ResumableFiles, accountId: string, append: Append) {
    super();
    this.#files = files;
    this.#accountId = accountId;
    this.#append = append;
  }

  override async create(upload: Upload): Promise<Upload> {
    const { id, size = 0, metadata = {} } = upload;
    upload.creation_date = new Date().toISOString();
    const { creation_date: createdAt } = upload;
    await this.#files.create(id, { accountId: this.#accountId, size, metadata, createdAt, answer: null });
    return upload;
  }

  override async getUpload(id: string): Promise<Upload> {
    const { size, metadata, createdAt, answer } = await this.#files.find(id, this.#accountId);
    let offset = answer === null ? (await stat(this.#files.fileOf(id))).size : size;
    if (answer === null && offset >= size && !this.#files.finishing.has(id)) {
      offset = size - 1;
      await truncate(this.#files.fileOf(id), offset);
    }
    return new Upload({ id, size, offset, metadata, creation_date: createdAt });
  }

  override async write(bytes: Readable, id: string, offset: number): Promise<number> {
    await this.#files.find(id, this.#accountId);
    // Another server process on the same folder may have the same upload under way.
    const lock = tryLock(join(this.#files.folder, id, 'lock'));
    // oxlint-disable-next-line no-throw-literal -- how the library's stores say it
    if (!lock) throw { status_code: 423, body: 'The upload is being written by another request\n' };
    try {
      return offset + (await this.#append(this.#files.fileOf(id), bytes, offset));
    } finally {
      lock.release();
    }
  }

  override async remove(id: string): Promise<void> {
    await this.#files.find(id, this.#accountId);
    await this.#files.remove(id);
  }

  override getExpiration(): number {
    return this.#files.expiresAfterMs;
  }

  override deleteExpired(): Promise<number> {
    return this.#files.removeExpired();
  }
}

async function madeMs(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.mtimeMs ?? 0;
}

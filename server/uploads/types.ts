// What an upload is once its bytes are here, whatever door they came through.
import type { IncomingMessage } from 'node:http';
import type { Format } from '@vectorium/tables';

/** The storage that an upload's bytes are taken from, e.g. a reservation of the account's quota. */
export interface Room {
  /** Holds at least so many bytes. Throws an ApiError when they are not there. */
  grow(bytes: number): Promise<void>;
}

/** What a door needs of a request: a `Context` of a streamed route has it all. */
export interface UploadRequest {
  request: IncomingMessage;
  /** Of the address, for a raw body. */
  query: unknown;
  /** Aborted when the client leaves. */
  signal: AbortSignal;
}

/** The fields beside the file, checked. */
export interface UploadFields {
  format: Format;
  /** As the request has them; checked by tables. */
  options: Record<string, unknown>;
  metadata: { name?: string; description?: string };
  name: string | null;
  description: string | null;
}

/** A file that came whole. */
export interface ReceivedUpload extends UploadFields {
  /** The file, alone in a scratch folder of the storage: it may be moved away. */
  path: string;
  bytes: number;
  /** In hexadecimal. */
  sha256: string;
  /** Removes the scratch folder. Must be called, also after the file was moved away. */
  discard(): Promise<void>;
}

export interface Uploads {
  /**
   * Takes the file of a request through the door that its method and Content-Type name: JSON with base64, multipart/form-data, or
   * (PUT) raw. `room` grows with the bytes while they come. Throws ApiError; then nothing is left.
   */
  receive(request: UploadRequest, room: Room): Promise<ReceivedUpload>;
  /**
   * Answers a request of the tus protocol 1.0 on `…/uploads` or `…/uploads/{id}`. `onFinished` gets each file that came whole; what
   * it resolves to is the JSON of the answer to the last piece, what it throws refuses the upload. Throws ApiError.
   */
  resume(
    request: ResumableRequest,
    room: Room,
    onFinished: (upload: ReceivedUpload) => Promise<object>,
  ): Promise<ResumableAnswer>;
  /** Removes what an account has begun to upload and not finished. */
  forget(accountId: string): Promise<void>;
  close(): Promise<void>;
}

export interface ResumableRequest {
  request: IncomingMessage;
  requestId: string;
  /** Other accounts don't see the upload. */
  accountId: string;
}

export interface ResumableAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

// What an upload is once its bytes are here, whatever door they came through.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Format } from '@vectorium/tables';

/** Whose storage an upload counts against. */
export interface UploadAccount {
  id: string;
  /** Bytes that the account may still store beside what is stored now; null: no limit. Asked when an upload begins and when it ends. */
  storageLeftBytes(): Promise<number | null>;
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
  /** Whole, with `name` and `description` when they were given. */
  metadata: Record<string, unknown>;
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
  /** Removes the scratch folder, and ends the upload's count against the account: call it once the dataset is stored, or was refused. */
  discard(): Promise<void>;
}

export interface Uploads {
  /**
   * Takes the file of a request through the door that its method and Content-Type name: JSON with base64, multipart/form-data, or
   * (PUT) raw. Throws ApiError; then nothing is left.
   */
  receive(request: UploadRequest, account: UploadAccount): Promise<ReceivedUpload>;
  /**
   * Answers a request of the tus protocol (version 1.0) below the address that `createUploads` was told. `onFinished` gets each file that
   * came whole; what it resolves to is the answer's JSON body, what it throws refuses the upload.
   */
  resume(exchange: ResumableExchange, onFinished: (upload: ReceivedUpload) => Promise<object>): Promise<void>;
  close(): Promise<void>;
}

export interface ResumableExchange {
  request: IncomingMessage;
  response: ServerResponse;
  requestId: string;
  account: UploadAccount;
}

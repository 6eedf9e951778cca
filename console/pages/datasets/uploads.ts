// Uploads that are under way, for as long as the app is open: they go on while other pages are looked at, and a file that was broken off
// goes on where it was when it is chosen again, also after the browser was closed.
import type { Upload } from 'tus-js-client';
import { useSyncExternalStore } from 'react';
import { type Answer, ApiProblem, accountHeader } from '../../api/index.ts';
import { queries } from '../../api/index.ts';

type Dataset = Answer<'getDataset'>;

export interface UploadState {
  id: number;
  name: string;
  bytes: number;
  sent: number;
  bytesPerSecond: number | null;
  /** `reading`: all bytes have arrived, and the server makes a dataset of them. */
  status: 'sending' | 'paused' | 'reading' | 'done' | 'failed';
  /** It went on where an earlier attempt ended. */
  resumed: boolean;
  dataset: Dataset | null;
  problem: Error | null;
}

/** Small enough that a broken connection costs little, large enough that a file is few requests. */
const pieceBytes = 16 * 1024 * 1024;

const formats: Record<string, string> = {
  csv: 'csv',
  txt: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  json: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  parquet: 'parquet',
  arrow: 'arrow',
  feather: 'arrow',
  xlsx: 'xlsx',
};

let states: readonly UploadState[] = [];
const listeners = new Set<() => void>();
const running = new Map<number, Upload>();
let last = 0;

export function useUploads(): readonly UploadState[] {
  return useSyncExternalStore(
    listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => states,
  );
}

/** The format of a file by the end of its name; undefined when it is none that is taken. */
export function formatOf(fileName: string): string | undefined {
  return formats[/\.([a-z]+)$/i.exec(fileName)?.[1]?.toLowerCase() ?? ''];
}

export async function startUpload(file: File, { onDone }: { onDone?: (dataset: Dataset) => void } = {}): Promise<void> {
  const id = ++last;
  const name = file.name.replace(/\.[^.]*$/, '') || file.name;
  put({
    id,
    name,
    bytes: file.size,
    sent: 0,
    bytesPerSecond: null,
    status: 'sending',
    resumed: false,
    dataset: null,
    problem: null,
  });
  const { Upload: Tus, DetailedError } = await import('tus-js-client');
  let [since, before] = [performance.now(), 0];
  const upload = new Tus(file, {
    endpoint: '/api/v2/data/uploads',
    chunkSize: pieceBytes,
    retryDelays: [0, 1000, 3000, 5000, 10_000],
    removeFingerprintOnSuccess: true,
    headers: accountHeader(),
    metadata: { format: formatOf(file.name) ?? 'csv', name },
    onProgress: sent => {
      const now = performance.now();
      const share = now - since > 400 ? { bytesPerSecond: ((sent - before) / (now - since)) * 1000 } : {};
      if (now - since > 400) [since, before] = [now, sent];
      put({ id, sent, status: sent >= file.size ? 'reading' : 'sending', ...share });
    },
    onSuccess: ({ lastResponse }) => {
      running.delete(id);
      const dataset = JSON.parse(lastResponse.getBody() || 'null') as Dataset | null;
      put({ id, sent: file.size, status: 'done', dataset });
      void queries.invalidateQueries({ queryKey: ['listDatasets'] });
      if (dataset) onDone?.(dataset);
    },
    onShouldRetry: error => {
      const status = error.originalResponse?.getStatus() ?? 0;
      return status === 0 || status === 409 || status === 423 || status === 429 || status >= 500;
    },
    onError: error => {
      running.delete(id);
      const response = error instanceof DetailedError ? error.originalResponse : null;
      put({ id, status: 'failed', problem: problemIn(response?.getBody(), response?.getStatus() ?? 0) });
    },
  });
  running.set(id, upload);
  const earlier = await upload.findPreviousUploads().catch(() => []);
  if (earlier[0]) {
    upload.resumeFromPreviousUpload(earlier[0]);
    put({ id, resumed: true });
  }
  upload.start();
}

export function pauseUpload(id: number): void {
  void running.get(id)?.abort();
  put({ id, status: 'paused', bytesPerSecond: null });
}

export function resumeUpload(id: number): void {
  running.get(id)?.start();
  put({ id, status: 'sending', problem: null });
}

/** Takes it off the list; what has arrived of an unfinished one is removed from the server too. */
export function dropUpload(id: number): void {
  void running
    .get(id)
    ?.abort(true)
    .catch(() => {});
  running.delete(id);
  states = states.filter(each => each.id !== id);
  tell();
}

function put(changes: Partial<UploadState> & { id: number }): void {
  const known = states.find(({ id }) => id === changes.id);
  if (known) states = states.map(each => (each === known ? { ...each, ...changes } : each));
  else if ('name' in changes) states = [changes as UploadState, ...states];
  tell();
}

function tell(): void {
  for (const listener of listeners) listener();
}

function problemIn(body: string | undefined, status: number): ApiProblem {
  try {
    const {
      message,
      code,
      request_id: requestId,
      param,
    } = JSON.parse(body ?? '') as Record<string, string | undefined>;
    if (message)
      return new ApiProblem(message, {
        status,
        code: code ?? 'UNKNOWN',
        requestId: requestId ?? null,
        param: param ?? null,
      });
  } catch {
    // No JSON: the connection broke, or something between answered.
  }
  return new ApiProblem(status === 0 ? 'The server does not answer' : `The server answered ${status}`, {
    status,
    code: status === 0 ? 'NETWORK' : 'UNKNOWN',
  });
}

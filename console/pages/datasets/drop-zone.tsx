// Where files are dropped or chosen, and how far those are that are on their way.
import { CircleAlert, CircleCheck, FileUp, Pause, Play, X } from 'lucide-react';
import { type DragEvent, useId, useRef, useState } from 'react';
import { useNavigate } from '@tanstack/react-router';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { classes } from '../../ui/classes.ts';
import { Problem } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { useDatasetText } from './text.ts';
import {
  type UploadState,
  dropUpload,
  formatOf,
  pauseUpload,
  resumeUpload,
  startUpload,
  useUploads,
} from './uploads.ts';

const accepted = '.csv,.tsv,.txt,.tab,.json,.ndjson,.jsonl,.parquet,.arrow,.feather,.xlsx';

export function DropZone() {
  const text = useDatasetText();
  const navigate = useNavigate();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const id = useId();

  const take = (files: readonly File[]) => {
    const unknown = files.find(({ name }) => formatOf(name) === undefined);
    setRefused(unknown ? text('unknownFormat', { name: unknown.name }) : null);
    const known = files.filter(({ name }) => formatOf(name) !== undefined);
    for (const file of known)
      void startUpload(file, {
        // One file is what the person wants to look at next; of several nobody knows which.
        onDone: ({ dataset_id: dataset }) => {
          if (known.length === 1 && location.pathname === '/console/datasets')
            void navigate({ to: '/console/datasets/$id', params: { id: dataset } });
        },
      });
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take([...event.dataTransfer.files]);
  };
  const takeSample = async () => {
    const { default: csv } = await import('./samples/penguins.csv?raw');
    take([new File([csv], 'penguins.csv', { type: 'text/csv' })]);
  };

  return (
    <section
      aria-labelledby={id}
      onDragOver={event => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={event => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={onDrop}
      className={classes(
        'rounded-xl border border-dashed px-6 py-7 text-center transition-colors',
        over ? 'border-accent bg-accent-soft' : 'border-line-strong bg-surface',
      )}
    >
      <FileUp aria-hidden="true" className={classes('mx-auto size-6', over ? 'text-accent' : 'text-faint')} />
      <h2 id={id} className="mt-3 font-semibold">
        {text('dropTitle')}
      </h2>
      <p className="mx-auto mt-1 max-w-lg text-muted">{text('dropAbout')}</p>
      <div className="mt-4 flex flex-wrap justify-center gap-2">
        <Button look="primary" onClick={() => input.current?.click()}>
          {text('chooseFile')}
        </Button>
        <Button onClick={() => void takeSample()}>{text('useSample')}</Button>
      </div>
      <input
        ref={input}
        type="file"
        multiple
        accept={accepted}
        aria-label={text('chooseFile')}
        className="hidden"
        onChange={event => {
          take([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
      {refused && (
        <p role="alert" className="mt-3 text-sm text-bad">
          {refused}
        </p>
      )}
    </section>
  );
}

export function UploadList() {
  const text = useDatasetText();
  const uploads = useUploads();
  if (uploads.length === 0) return null;
  return (
    <ul aria-label={text('uploads')} className="flex flex-col gap-3">
      {uploads.map(upload => (
        <UploadLine key={upload.id} upload={upload} />
      ))}
    </ul>
  );
}

function UploadLine({ upload }: { upload: UploadState }) {
  const text = useDatasetText();
  const common = useCommonText();
  const format = useFormat();
  const { id, name, bytes, sent, status, dataset, problem, bytesPerSecond: speed, resumed } = upload;
  const about = {
    sending: [
      text('sentOf', { sent: format.bytes(sent), all: format.bytes(bytes) }),
      speed !== null && `${format.bytes(speed)}/s`,
      resumed && text('resumed'),
    ],
    paused: [text('paused'), text('sentOf', { sent: format.bytes(sent), all: format.bytes(bytes) })],
    reading: [text('reading')],
    done: dataset ? [text('rows', { count: dataset.rows }), text('columns', { count: dataset.columns.length })] : [],
    failed: [],
  }[status].filter(part => typeof part === 'string');
  return (
    <li className="rounded-xl border border-line bg-surface px-4 py-3 shadow-card">
      <div className="flex items-center gap-3">
        {status === 'done' ? (
          <CircleCheck aria-hidden="true" className="size-4.5 text-good" />
        ) : status === 'failed' ? (
          <CircleAlert aria-hidden="true" className="size-4.5 text-bad" />
        ) : (
          <FileUp aria-hidden="true" className="size-4.5 text-faint" />
        )}
        <div className="min-w-0 flex-1" role="status">
          <div className="truncate font-medium">{name}</div>
          <div className="truncate text-sm text-muted">{about.join(' · ')}</div>
        </div>
        {status === 'sending' && (
          <Button size="icon" look="quiet" aria-label={text('pause')} onClick={() => pauseUpload(id)}>
            <Pause />
          </Button>
        )}
        {status === 'paused' && (
          <Button size="icon" look="quiet" aria-label={text('goOn')} onClick={() => resumeUpload(id)}>
            <Play />
          </Button>
        )}
        {dataset && (
          <ButtonLink size="small" to="/console/datasets/$id" params={{ id: dataset.dataset_id }}>
            {text('open')}
          </ButtonLink>
        )}
        <Button
          size="icon"
          look="quiet"
          aria-label={status === 'done' || status === 'failed' ? common('close') : common('cancel')}
          onClick={() => dropUpload(id)}
        >
          <X />
        </Button>
      </div>
      {(status === 'sending' || status === 'paused' || status === 'reading') && (
        <div className="mt-2.5">
          <Progress value={status === 'reading' ? null : sent / Math.max(1, bytes)} label={name} />
        </div>
      )}
      {problem && (
        <div className="mt-3">
          <Problem error={problem} />
        </div>
      )}
    </li>
  );
}

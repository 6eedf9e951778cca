// A text, its chunks where they lie in it, and the vector of each.
import { ChevronLeft, ChevronRight, Sparkles, Type } from 'lucide-react';
import { type KeyboardEvent, useMemo, useState } from 'react';
import { type Answer, useChange, useMay } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Figure, Figures } from '../../ui/card.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Empty, Problem } from '../../ui/empty.tsx';
import { TextArea } from '../../ui/field.tsx';
import { ChunkedText } from './chunked-text.tsx';
import { article, mixed, turkish } from './sample-texts.ts';
import { type Settings, SettingsForm, requestSettings, useEncoders } from './settings.tsx';
import { usePlaygroundText } from './text.ts';
import { VectorPicture } from './vector-picture.tsx';

interface ViewProps {
  settings: Settings;
  onSettings: (settings: Settings) => void;
}

interface Done {
  request: { text: string };
  answer: Answer<'vectorizeChunked'>;
  tookMs: number;
}

export function ChunksView({ settings, onSettings }: ViewProps) {
  const text = usePlaygroundText();
  const [written, setWritten] = useState(article);
  const [done, setDone] = useState<Done | null>(null);
  const { current } = useEncoders(settings.model);
  const mayTry = useMay('member');
  const run = useChange('vectorizeChunked', { quiet: true, refresh: ['getUsage'] });

  const start = () => {
    const request = { text: written, ...requestSettings(settings, current?.alias) };
    const began = performance.now();
    run.mutate(
      { body: request },
      { onSuccess: answer => setDone({ request, answer, tookMs: performance.now() - began }) },
    );
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) start();
  };

  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_19rem]">
      <div className="flex min-w-0 flex-col gap-6">
        <Card>
          <TextArea
            label={text('text')}
            rows={8}
            value={written}
            onChange={event => setWritten(event.target.value)}
            onKeyDown={onKey}
            hint={text('textHint')}
          />
          <div className="mt-4 flex flex-wrap items-center justify-between gap-3">
            <div className="flex flex-wrap items-center gap-1.5 text-sm text-muted">
              {text('samples')}
              {(
                [
                  ['sampleArticle', article],
                  ['sampleTurkish', turkish],
                  ['sampleMixed', mixed],
                ] as const
              ).map(([name, sample]) => (
                <Button key={name} size="small" look="quiet" onClick={() => setWritten(sample)}>
                  {text(name)}
                </Button>
              ))}
            </div>
            <Button
              look="primary"
              icon={<Sparkles />}
              busy={run.isPending}
              disabled={!mayTry || written.trim() === ''}
              onClick={start}
            >
              {text('run')}
            </Button>
          </div>
        </Card>
        {run.error && <Problem error={run.error} />}
        {done ? (
          <Result {...done} />
        ) : (
          <Card flush>
            <Empty icon={<Type />} title={text('emptyChunksTitle')}>
              {text('emptyChunks')}
            </Empty>
          </Card>
        )}
      </div>
      <Card title={text('settings')} className="lg:sticky lg:top-20">
        <SettingsForm settings={settings} onChange={onSettings} chunks />
      </Card>
    </div>
  );
}

function Result({ request, answer, tookMs }: Done) {
  const text = usePlaygroundText();
  const format = useFormat();
  const { encoders } = useEncoders(null);
  const [chosen, setChosen] = useState(0);
  const index = Math.min(chosen, answer.chunks.length - 1);
  const vector = answer.vectors[index];
  const numbers = useMemo(() => Float32Array.from(Array.isArray(vector) ? vector : []), [vector]);
  const price = encoders.find(({ alias }) => alias === answer.model)?.price_per_1M_tokens ?? 0;
  return (
    <>
      <Figures>
        <Figure
          label={text('chunksTitle')}
          value={format.number(answer.chunks_count)}
          about={text('dimension', { count: answer.dimension })}
        />
        <Figure
          label={text('tokens')}
          value={format.number(answer.usage.prompt_tokens)}
          about={`${answer.model} · ${format.money((answer.usage.prompt_tokens * price) / 1e6)}`}
        />
        <Figure label={text('took')} value={format.duration(tookMs)} />
      </Figures>
      <Card title={text('chunkedText')} description={text('chunkedTextAbout')}>
        <ChunkedText text={request.text} chunks={answer.chunks} chosen={index} onChoose={setChosen} />
      </Card>
      <Card
        title={text('vector', { number: index + 1 })}
        description={text('vectorAbout')}
        actions={
          <>
            <Button
              size="icon"
              look="quiet"
              aria-label={text('previousChunk')}
              disabled={index === 0}
              onClick={() => setChosen(index - 1)}
            >
              <ChevronLeft />
            </Button>
            <Button
              size="icon"
              look="quiet"
              aria-label={text('nextChunk')}
              disabled={index === answer.chunks.length - 1}
              onClick={() => setChosen(index + 1)}
            >
              <ChevronRight />
            </Button>
            <CopyButton value={JSON.stringify(vector)} label={text('copyVector')} />
          </>
        }
      >
        <VectorPicture vector={numbers} />
        <code className="mt-3 block truncate font-mono text-xs text-muted">
          [{Array.from(numbers.subarray(0, 12), value => value.toFixed(4)).join(', ')}, …]
        </code>
      </Card>
      <Card title={text('code')} description={text('codeAbout')}>
        <CodeSamples request={{ method: 'POST', path: '/vectorize/chunked', body: request }} />
      </Card>
    </>
  );
}

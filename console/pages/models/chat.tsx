// A conversation with a language model, word by word as it answers.
import { useSearch } from '@tanstack/react-router';
import { CircleStop, MessagesSquare, RotateCcw, SendHorizontal } from 'lucide-react';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { ViewerNote } from '../../layout/viewer-note.tsx';
import { CodeSamples } from '../../samples/code-samples.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { classes } from '../../ui/classes.ts';
import { Empty, Problem } from '../../ui/empty.tsx';
import { TextArea, TextField, controlClasses } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { type ChatMessage, type ChatSettings, useChat } from './use-chat.ts';
import { useBaseModels } from './base-models.ts';
import { useModelText } from './text.ts';

export function ChatPage() {
  const text = useModelText();
  const { model: asked } = useSearch({ from: '/inside/console/models/chat' });
  const models = useLanguageModels();
  const mayAsk = useMay('member');
  const [model, setModel] = useState<string | null>(asked ?? null);
  const chosen = model ?? models[0]?.value ?? null;
  const [temperature, setTemperature] = useState('0.7');
  const [maxTokens, setMaxTokens] = useState('256');
  const [system, setSystem] = useState('');
  const settings: ChatSettings = {
    model: chosen ?? '',
    temperature: Number(temperature) || 0,
    max_tokens: Number(maxTokens) || 256,
  };
  const { messages, send, stop, clear, busy, problem, tokens, request } = useChat();
  const known =
    asked && !models.some(({ value }) => value === asked) ? [{ value: asked, label: asked }, ...models] : models;
  return (
    <Page
      title={text('chatTitle')}
      description={text('chatAbout')}
      actions={
        messages.length > 0 && (
          <Button icon={<RotateCcw />} onClick={clear}>
            {text('clear')}
          </Button>
        )
      }
    >
      <ViewerNote />
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_19rem]">
        <Card flush className="flex min-h-[60dvh] flex-col [&>div]:flex [&>div]:flex-1 [&>div]:flex-col">
          <Conversation messages={messages} busy={busy} hasModel={chosen !== null} />
          {problem && (
            <div className="px-5 pb-4">
              <Problem error={problem} />
            </div>
          )}
          <Composer
            disabled={chosen === null || !mayAsk}
            busy={busy}
            onStop={stop}
            onSend={message => send(message, { settings, system })}
          />
        </Card>
        <div className="flex min-w-0 flex-col gap-6">
          <Card>
            <div className="flex flex-col gap-4">
              <Select
                label={text('chatModel')}
                value={chosen ?? ''}
                onChange={setModel}
                choices={known}
                disabled={known.length === 0}
              />
              <TextField
                label={text('temperature')}
                type="number"
                step="0.1"
                min={0}
                max={2}
                value={temperature}
                hint={text('temperatureHint')}
                onChange={event => setTemperature(event.target.value)}
              />
              <TextField
                label={text('maxTokens')}
                type="number"
                min={1}
                value={maxTokens}
                onChange={event => setMaxTokens(event.target.value)}
              />
              <TextArea
                label={text('system')}
                value={system}
                placeholder={text('systemHint')}
                onChange={event => setSystem(event.target.value)}
              />
              {tokens !== null && <p className="text-sm text-muted">{text('tokensUsed', { count: tokens })}</p>}
            </div>
          </Card>
          {request && (
            <Card title={text('code')}>
              <CodeSamples request={{ method: 'POST', path: '/v1/chat/completions', body: request }} />
            </Card>
          )}
        </div>
      </div>
    </Page>
  );
}

/** Those of the catalog, and those that were trained here. */
function useLanguageModels(): { value: string; label: string }[] {
  const bases = useBaseModels();
  const { data: trained } = useRoute('listTrainedModels');
  const own = (trained?.data ?? []).filter(({ model_type: type, status }) => type === 'llm' && status === 'succeeded');
  return [...own.map(({ model_id: id, name }) => ({ value: id, label: name ?? id })), ...bases];
}

function Conversation({
  messages,
  busy,
  hasModel,
}: {
  messages: readonly ChatMessage[];
  busy: boolean;
  hasModel: boolean;
}) {
  const text = useModelText();
  const end = useRef<HTMLDivElement>(null);
  const written = messages.at(-1)?.content.length ?? 0;
  useEffect(() => {
    if (written > 0) end.current?.scrollIntoView({ block: 'nearest' });
  }, [written]);
  return (
    <div
      role="log"
      aria-label={text('conversation')}
      aria-busy={busy}
      tabIndex={0}
      className="flex max-h-[65dvh] flex-1 flex-col gap-5 overflow-y-auto p-5"
    >
      {messages.length === 0 && (
        <div className="m-auto">
          <Empty icon={<MessagesSquare />} title={text('emptyChatTitle')}>
            {hasModel ? text('emptyChat') : text('noLanguageModels')}
          </Empty>
        </div>
      )}
      {messages.map(({ role, content }, index) => (
        <div
          // Messages have no name but their place.
          // oxlint-disable-next-line react/no-array-index-key
          key={index}
          className={classes(
            'max-w-[85%] whitespace-pre-wrap',
            role === 'user' ? 'self-end rounded-xl bg-accent-soft px-4 py-2.5' : 'self-start',
          )}
        >
          <span className="sr-only">{role === 'user' ? text('you') : text('cardOf')}: </span>
          {content}
          {busy && role === 'assistant' && index === messages.length - 1 && (
            <span aria-hidden="true" className="ml-0.5 inline-block h-4 w-1.5 translate-y-0.5 bg-accent shimmer" />
          )}
        </div>
      ))}
      <div ref={end} />
    </div>
  );
}

function Composer({
  disabled,
  busy,
  onSend,
  onStop,
}: {
  disabled: boolean;
  busy: boolean;
  onSend: (message: string) => void;
  onStop: () => void;
}) {
  const text = useModelText();
  const [written, setWritten] = useState('');
  const go = () => {
    if (written.trim() === '' || busy || disabled) return;
    onSend(written.trim());
    setWritten('');
  };
  const onKey = (event: KeyboardEvent) => {
    // Enter also ends the choice of a character in some scripts.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    go();
  };
  return (
    <div className="border-t border-line p-3">
      <div className="flex items-end gap-2">
        <textarea
          aria-label={text('message')}
          rows={2}
          value={written}
          placeholder={text('useMessage')}
          disabled={disabled}
          onChange={event => setWritten(event.target.value)}
          onKeyDown={onKey}
          className={classes(controlClasses, 'resize-none py-2')}
        />
        {busy ? (
          <Button icon={<CircleStop />} onClick={onStop}>
            {text('stop')}
          </Button>
        ) : (
          <Button look="primary" icon={<SendHorizontal />} disabled={disabled || written.trim() === ''} onClick={go}>
            {text('send')}
          </Button>
        )}
      </div>
    </div>
  );
}

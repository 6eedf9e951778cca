// A conversation through /v1/chat/completions, streamed.
import { useEffect, useRef, useState } from 'react';
import { ApiProblem, accountHeader, request } from '../../api/index.ts';
import { serverEvents } from '../../api/event-stream.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatSettings {
  model: string;
  temperature: number;
  max_tokens: number;
}

/** What is read of OpenAI's chunks. */
interface Chunk {
  choices?: { delta?: { content?: string | null } }[];
  usage?: { total_tokens?: number } | null;
  error?: { message?: string; code?: string };
}

export function useChat() {
  const [messages, setMessages] = useState<readonly ChatMessage[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error | null>(null);
  const [tokens, setTokens] = useState<number | null>(null);
  const [sent, setSent] = useState<object | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const answer = async (
    asked: readonly ChatMessage[],
    { settings, system }: { settings: ChatSettings; system: string },
  ) => {
    const controller = (running.current = new AbortController());
    const all: ChatMessage[] = [
      ...(system.trim() === '' ? [] : [{ role: 'system' as const, content: system.trim() }]),
      ...asked,
    ];
    const body = {
      model: settings.model,
      messages: all,
      temperature: settings.temperature,
      max_tokens: settings.max_tokens,
    };
    setSent(body);
    try {
      const response = await request('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...accountHeader() },
        body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
        signal: controller.signal,
      });
      let content = '';
      if (!response.body) return;
      for await (const { data } of serverEvents(response.body)) {
        if (data === '[DONE]') break;
        const chunk = JSON.parse(data) as Chunk;
        if (chunk.error)
          throw new ApiProblem(chunk.error.message ?? '', {
            status: 500,
            code: chunk.error.code?.toUpperCase() ?? 'UNKNOWN',
          });
        if (typeof chunk.usage?.total_tokens === 'number') setTokens(chunk.usage.total_tokens);
        const piece = chunk.choices?.[0]?.delta?.content;
        if (!piece) continue;
        content += piece;
        setMessages([...asked, { role: 'assistant', content }]);
      }
    } catch (thrown) {
      // What was said until it was stopped stays.
      if (!controller.signal.aborted) setProblem(thrown instanceof Error ? thrown : new Error(String(thrown)));
    } finally {
      if (running.current === controller) setBusy(false);
    }
  };

  return {
    messages,
    busy,
    problem,
    tokens,
    /** The last request, without that it was streamed. */
    request: sent,
    send: (message: string, options: { settings: ChatSettings; system: string }) => {
      const asked = [...messages, { role: 'user' as const, content: message }];
      setMessages([...asked, { role: 'assistant', content: '' }]);
      setProblem(null);
      setBusy(true);
      void answer(asked, options);
    },
    stop: () => running.current?.abort(),
    clear: () => {
      running.current?.abort();
      setMessages([]);
      setProblem(null);
      setTokens(null);
      setSent(null);
    },
  };
}

// Model and chunks: what the requests of the playground are made with.
import { useMemo } from 'react';
import { type Answer, useRoute } from '../../api/index.ts';
import { useFormat } from '../../messages/format.ts';
import { TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { usePlaygroundText } from './text.ts';

export interface Settings {
  /** null: the account's default. */
  model: string | null;
  chunkSize: string;
  /** Percent. */
  chunkOverlap: string;
  method: 'sentence_aware' | 'fixed' | 'late';
  inputType: 'none' | 'query' | 'document';
}

export const firstSettings: Settings = {
  model: null,
  chunkSize: '64',
  chunkOverlap: '10',
  method: 'sentence_aware',
  inputType: 'none',
};

interface Card {
  dimension: number;
  max_tokens: number;
  price_per_1M_tokens: number;
  allowed?: boolean;
  state?: string;
  kind?: string;
}

/** The encoders of the catalog, usable ones first, and the one that is chosen. */
export function useEncoders(chosen: string | null) {
  const { data, error, refetch } = useRoute('listModels');
  return useMemo(() => {
    const all = Object.entries(data?.models ?? {})
      .map(([alias, card]) => ({ alias, ...(card as Answer<'listModels'>['models'][string] & Card) }))
      .filter(({ dimension }) => dimension > 0);
    const usable = (each: (typeof all)[number]) => each.allowed !== false && each.state !== 'absent';
    const encoders = all.toSorted((one, other) => Number(usable(other)) - Number(usable(one)));
    const byDefault =
      encoders.find(each => each.alias === data?.default_model && usable(each)) ?? encoders.find(usable);
    const current = encoders.find(({ alias }) => alias === chosen) ?? byDefault;
    return { encoders, current, error, refetch };
  }, [data, chosen, error, refetch]);
}

/** The fields of a request that the settings decide; what stands for the default is left out. */
export function requestSettings({ chunkSize, chunkOverlap, method, inputType }: Settings, model: string | undefined) {
  const size = Number.parseInt(chunkSize, 10);
  const overlap = Number.parseFloat(chunkOverlap.replace(',', '.'));
  return {
    ...(model !== undefined && { model }),
    ...(inputType !== 'none' && { input_type: inputType }),
    ...(Number.isFinite(size) && { chunk_size: size }),
    ...(Number.isFinite(overlap) && { chunk_overlap: Math.round(overlap * 10) / 1000 }),
    ...(method !== 'sentence_aware' && { chunking_method: method }),
  };
}

interface FormProps {
  settings: Settings;
  onChange: (settings: Settings) => void;
  /** Without, only what concerns whole texts. */
  chunks?: boolean;
}

export function SettingsForm({ settings, onChange, chunks = false }: FormProps) {
  const text = usePlaygroundText();
  const format = useFormat();
  const { encoders, current } = useEncoders(settings.model);
  const set = (changes: Partial<Settings>) => onChange({ ...settings, ...changes });
  return (
    <div className="flex flex-col gap-4">
      <Select
        label={text('model')}
        value={current?.alias ?? ''}
        onChange={model => set({ model })}
        choices={encoders.map(({ alias, dimension, max_tokens: most, price_per_1M_tokens: price, allowed, state }) => ({
          value: alias,
          label: alias,
          about:
            allowed === false
              ? text('modelNotAllowed')
              : state === 'absent'
                ? text('modelMissing')
                : text('modelAbout', { dimension, tokens: most, price: format.decimal(price, 6) }),
        }))}
        hint={
          current &&
          text('modelAbout', {
            dimension: current.dimension,
            tokens: current.max_tokens,
            price: format.decimal(current.price_per_1M_tokens, 6),
          })
        }
      />
      {chunks && (
        <div className="grid grid-cols-2 gap-4">
          <TextField
            label={text('chunkSize')}
            type="number"
            inputMode="numeric"
            min={1}
            max={current?.max_tokens}
            value={settings.chunkSize}
            onChange={event => set({ chunkSize: event.target.value })}
            hint={current && text('chunkSizeHint', { most: current.max_tokens })}
          />
          <TextField
            label={`${text('chunkOverlap')} (%)`}
            type="number"
            inputMode="decimal"
            min={0}
            max={80}
            value={settings.chunkOverlap}
            onChange={event => set({ chunkOverlap: event.target.value })}
          />
        </div>
      )}
      {chunks && (
        <Select
          label={text('chunkingMethod')}
          value={settings.method}
          onChange={method => set({ method })}
          choices={(['sentence_aware', 'fixed', 'late'] as const).map(value => ({ value, label: text(value) }))}
        />
      )}
      <Select
        label={text('inputType')}
        value={settings.inputType}
        onChange={inputType => set({ inputType })}
        choices={[
          { value: 'none', label: text('inputDefault') },
          { value: 'query', label: text('inputQuery') },
          { value: 'document', label: text('inputDocument') },
        ]}
      />
    </div>
  );
}

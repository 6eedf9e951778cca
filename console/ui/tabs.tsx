// Parts of a page, one of which is shown.
import { Tabs as Base } from '@base-ui/react/tabs';
import type { ReactNode } from 'react';

export interface Tab {
  id: string;
  title: ReactNode;
  content: ReactNode;
}

/** Keeps its own choice unless `value` and `onChange` are given, e.g. from the address. */
export function Tabs({
  tabs,
  value,
  onChange,
  label,
}: {
  tabs: readonly Tab[];
  value?: string;
  onChange?: (id: string) => void;
  label: string;
}) {
  return (
    <Base.Root
      defaultValue={value ?? tabs[0]?.id ?? ''}
      {...(value !== undefined && { value })}
      onValueChange={chosen => onChange?.(String(chosen))}
    >
      <Base.List aria-label={label} activateOnFocus className="mb-6 flex gap-5 overflow-x-auto border-b border-line">
        {tabs.map(tab => (
          <Base.Tab
            key={tab.id}
            value={tab.id}
            className="-mb-px border-b-2 border-transparent pb-2.5 font-medium whitespace-nowrap text-muted outline-offset-[-2px] hover:text-ink data-active:border-accent data-active:text-ink"
          >
            {tab.title}
          </Base.Tab>
        ))}
      </Base.List>
      {tabs.map(tab => (
        <Base.Panel key={tab.id} value={tab.id} className="outline-offset-4">
          {tab.content}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}

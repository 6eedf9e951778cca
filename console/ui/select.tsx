// A list to choose one from, and a switch between a few.
import { Select as Base } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import type { ReactNode } from 'react';
import { classes } from './classes.ts';
import { Field, controlClasses } from './field.tsx';

export interface Choice<Value extends string> {
  value: Value;
  label: ReactNode;
  /** A second line. */
  about?: ReactNode;
}

interface SelectProps<Value extends string> {
  label: ReactNode;
  choices: readonly Choice<Value>[];
  value: Value;
  onChange: (value: Value) => void;
  hint?: ReactNode;
  /** Shown while nothing is chosen. */
  placeholder?: string;
  hideLabel?: boolean;
  disabled?: boolean;
  className?: string;
}

export function Select<Value extends string>({
  label,
  choices,
  value,
  onChange,
  hint,
  placeholder,
  hideLabel = false,
  disabled = false,
  className,
}: SelectProps<Value>) {
  return (
    <Field label={label} hint={hint} hideLabel={hideLabel} {...(className && { className })}>
      {tie => (
        <Base.Root
          items={choices.map(choice => ({ value: choice.value, label: choice.label }))}
          value={value}
          onValueChange={chosen => {
            if (chosen !== null) onChange(chosen);
          }}
          disabled={disabled}
          modal={false}
        >
          <Base.Trigger
            {...tie}
            className={classes(controlClasses, 'flex h-9 items-center justify-between gap-2 text-left')}
          >
            <Base.Value
              className="truncate"
              // An empty value is a choice where there is one for it, e.g. "decided from the data".
              placeholder={
                choices.find(choice => choice.value === '')?.label ?? <span className="text-faint">{placeholder}</span>
              }
            />
            <Base.Icon className="text-faint">
              <ChevronsUpDown className="size-3.5" />
            </Base.Icon>
          </Base.Trigger>
          <Base.Portal>
            <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-none">
              <Base.Popup className="layer-motion max-h-80 min-w-(--anchor-width) overflow-y-auto rounded-lg bg-raised p-1 shadow-layer outline-none">
                {choices.map(choice => (
                  <Base.Item
                    key={choice.value}
                    value={choice.value}
                    className="flex cursor-default items-start gap-2 rounded-md py-1.5 pr-3 pl-2 outline-none select-none data-highlighted:bg-hover"
                  >
                    <span className="mt-1 size-3.5 shrink-0 text-accent">
                      <Base.ItemIndicator>
                        <Check className="size-3.5" />
                      </Base.ItemIndicator>
                    </span>
                    <span className="min-w-0">
                      <Base.ItemText>{choice.label}</Base.ItemText>
                      {choice.about && <span className="block text-sm text-muted">{choice.about}</span>}
                    </span>
                  </Base.Item>
                ))}
              </Base.Popup>
            </Base.Positioner>
          </Base.Portal>
        </Base.Root>
      )}
    </Field>
  );
}

interface SegmentsProps<Value extends string> {
  label: string;
  choices: readonly Choice<Value>[];
  value: Value;
  onChange: (value: Value) => void;
  className?: string;
}

/** A few choices side by side, all of them seen. */
export function Segments<Value extends string>({ label, choices, value, onChange, className }: SegmentsProps<Value>) {
  return (
    <div
      role="radiogroup"
      aria-label={label}
      className={classes(
        'inline-flex w-fit max-w-full flex-wrap gap-0.5 rounded-md bg-sunken p-0.5 ring-1 ring-line',
        className,
      )}
    >
      {choices.map((choice, index) => (
        <button
          key={choice.value}
          type="button"
          role="radio"
          aria-checked={choice.value === value}
          tabIndex={choice.value === value ? 0 : -1}
          onClick={() => onChange(choice.value)}
          onKeyDown={event => {
            const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            const next = choices.at((index + step) % choices.length);
            const siblings = event.currentTarget.parentElement?.children;
            if (next) onChange(next.value);
            if (siblings)
              (siblings.item((index + step + choices.length) % choices.length) as HTMLElement | null)?.focus();
          }}
          className="rounded-[4px] px-2.5 py-1 text-sm font-medium whitespace-nowrap text-muted transition-colors hover:text-ink aria-checked:bg-chosen aria-checked:text-ink aria-checked:shadow-card aria-checked:ring-1 aria-checked:ring-line"
        >
          {choice.label}
        </button>
      ))}
    </div>
  );
}

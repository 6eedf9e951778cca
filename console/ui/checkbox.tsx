// A box to tick, a switch, and a list of boxes.
import { Checkbox as Base } from '@base-ui/react/checkbox';
import { Switch as BaseSwitch } from '@base-ui/react/switch';
import { Check } from 'lucide-react';
import { type ReactNode, useId } from 'react';

interface TickProps {
  label: ReactNode;
  about?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

export function Checkbox({ label, about, checked, onChange, disabled = false }: TickProps) {
  const id = useId();
  return (
    <label className="flex items-start gap-2.5">
      <Base.Root
        aria-labelledby={id}
        checked={checked}
        onCheckedChange={onChange}
        disabled={disabled}
        className="mt-0.5 flex size-4.5 shrink-0 items-center justify-center rounded-sm border border-edge bg-surface data-checked:border-accent-solid data-checked:bg-accent-solid data-disabled:opacity-55"
      >
        <Base.Indicator className="text-white">
          <Check className="size-3.5" strokeWidth={3} />
        </Base.Indicator>
      </Base.Root>
      <span>
        <span id={id} className="block font-medium">
          {label}
        </span>
        {about && <span className="block text-sm text-muted">{about}</span>}
      </span>
    </label>
  );
}

export function Switch({ label, about, checked, onChange, disabled = false }: TickProps) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-6">
      <span>
        <span id={id} className="block font-medium">
          {label}
        </span>
        {about && <span className="block text-sm text-muted">{about}</span>}
      </span>
      <BaseSwitch.Root
        aria-labelledby={id}
        checked={checked}
        onCheckedChange={onChange}
        disabled={disabled}
        className="mt-0.5 flex h-5 w-9 shrink-0 rounded-full bg-edge p-0.5 transition-colors data-checked:bg-accent-solid data-disabled:opacity-55"
      >
        <BaseSwitch.Thumb className="size-4 rounded-full bg-white transition-transform data-checked:translate-x-4" />
      </BaseSwitch.Root>
    </div>
  );
}

// A word of explanation that appears beside what is pointed at or focused.
import { Tooltip as Base } from '@base-ui/react/tooltip';
import type { ReactElement, ReactNode } from 'react';

export function Tooltip({
  children,
  trigger,
  side = 'top',
}: {
  children: ReactNode;
  trigger: ReactElement<Record<string, unknown>>;
  side?: 'top' | 'right' | 'bottom' | 'left';
}) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} side={side} className="z-60">
          <Base.Popup className="layer-motion max-w-xs rounded-md bg-ink px-2.5 py-1.5 text-sm text-canvas shadow-layer">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export const TooltipGroup = Base.Provider;

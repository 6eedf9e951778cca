// A dialog in front of the page, and the question before something that can't be undone.
import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useCommonText } from '../messages/common.ts';
import { Button } from './button.tsx';
import { classes } from './classes.ts';

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  /** Buttons at the end. */
  actions?: ReactNode;
  wide?: boolean;
  /** Cannot be left by Escape or a press outside, e.g. while a secret is shown. */
  firm?: boolean;
}

export function Dialog({
  open,
  onClose,
  title,
  description,
  children,
  actions,
  wide = false,
  firm = false,
}: DialogProps) {
  const text = useCommonText();
  return (
    <Base.Root
      open={open}
      disablePointerDismissal={firm}
      onOpenChange={(next, details) => {
        if (!next && !(firm && details.reason === 'escape-key')) onClose();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-[light-dark(rgb(20_20_22/0.35),rgb(0_0_0/0.6))] transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup
          className={classes(
            'layer-motion fixed top-[max(1rem,12vh)] left-1/2 z-40 flex max-h-[calc(100dvh-2*max(1rem,8vh))] w-[calc(100vw-2rem)] -translate-x-1/2 flex-col rounded-xl bg-raised shadow-layer outline-none',
            wide ? 'max-w-3xl' : 'max-w-lg',
          )}
        >
          <div className="flex items-start justify-between gap-4 px-6 pt-5">
            <div className="min-w-0">
              <Base.Title className="text-lg font-semibold tracking-tight">{title}</Base.Title>
              {description && (
                <Base.Description className="mt-1 break-words text-muted">{description}</Base.Description>
              )}
            </div>
            {!firm && (
              <Base.Close
                aria-label={text('close')}
                className="-mr-2 flex size-8 shrink-0 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-ink"
              >
                <X className="size-4" />
              </Base.Close>
            )}
          </div>
          {children ? <div className="min-h-0 overflow-y-auto px-6 py-5">{children}</div> : <div className="pb-5" />}
          {actions && (
            <div className="flex flex-wrap justify-end gap-2 border-t border-line px-6 py-3.5">{actions}</div>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: ReactNode;
  /** What will happen, and what can't be undone. */
  description: ReactNode;
  /** The button, a verb: "Revoke key". */
  action: string;
  busy?: boolean;
  children?: ReactNode;
  disabled?: boolean;
}

export function Confirm({
  open,
  onClose,
  onConfirm,
  title,
  description,
  action,
  busy = false,
  children,
  disabled = false,
}: ConfirmProps) {
  const text = useCommonText();
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      description={description}
      actions={
        <>
          <Button onClick={onClose}>{text('cancel')}</Button>
          <Button look="danger" busy={busy} disabled={disabled} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}

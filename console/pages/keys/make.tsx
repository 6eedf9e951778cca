// A new key.
import { useId } from 'react';
import { useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { KeyForm } from './form.tsx';
import type { MadeKey } from './secret.tsx';
import { useKeysText } from './text.ts';

interface MakeKeyProps {
  open: boolean;
  onClose: () => void;
  onMade: (made: MadeKey) => void;
}

export function MakeKey({ open, onClose, onMade }: MakeKeyProps) {
  const common = useCommonText();
  const text = useKeysText();
  const form = useId();
  const making = useChange('createOwnKey', { refresh: ['listOwnKeys'], onDone: onMade, quiet: true });
  const close = () => {
    making.reset();
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={text('makeTitle')}
      actions={
        <>
          <Button onClick={close}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={making.isPending}>
            {text('makeAction')}
          </Button>
        </>
      }
    >
      <KeyForm
        id={form}
        error={making.error}
        onSubmit={({ name, scopes, models, budget_usd: budget, expires_at: expires }) =>
          making.mutate({
            body: {
              name,
              ...(scopes && { scopes }),
              ...(models && { models }),
              ...(budget !== null && { budget_usd: budget }),
              ...(expires !== null && { expires_at: expires }),
            },
          })
        }
      />
    </Dialog>
  );
}

// Another name and other rights of a key, whose secret stays.
import { useId } from 'react';
import { useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { toast } from '../../ui/toast.tsx';
import { KeyForm } from './form.tsx';
import type { Key } from './page.tsx';
import { useKeysText } from './text.ts';

export function ChangeKey({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const common = useCommonText();
  const text = useKeysText();
  const form = useId();
  const changing = useChange('changeOwnKey', {
    refresh: ['listOwnKeys'],
    quiet: true,
    onDone: () => {
      toast(common('saved'));
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('changeTitle', { name: apiKey.name })}
      description={text('changeAbout')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button look="primary" type="submit" form={form} busy={changing.isPending}>
            {common('save')}
          </Button>
        </>
      }
    >
      <KeyForm
        id={form}
        start={apiKey}
        error={changing.error}
        onSubmit={body => changing.mutate({ params: { id: apiKey.id }, body })}
      />
    </Dialog>
  );
}

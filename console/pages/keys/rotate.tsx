// A new key in the place of an old one, which goes on for a while.
import { useState } from 'react';
import { useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Problem } from '../../ui/empty.tsx';
import { Select } from '../../ui/select.tsx';
import type { Key } from './page.tsx';
import type { MadeKey } from './secret.tsx';
import { useKeysText } from './text.ts';

export function RotateKey({
  apiKey,
  onClose,
  onMade,
}: {
  apiKey: Key;
  onClose: () => void;
  onMade: (made: MadeKey) => void;
}) {
  const common = useCommonText();
  const text = useKeysText();
  const [hours, setHours] = useState<'0' | '1' | '24' | '168'>('24');
  const rotate = useChange('rotateOwnKey', { refresh: ['listOwnKeys'], onDone: onMade, quiet: true });
  return (
    <Dialog
      open
      onClose={onClose}
      title={text('rotateTitle', { name: apiKey.name })}
      description={text('rotateAbout')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button
            look="primary"
            busy={rotate.isPending}
            onClick={() => rotate.mutate({ params: { id: apiKey.id }, body: { overlap_hours: Number(hours) } })}
          >
            {text('rotateAction')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <Select
          label={text('overlap')}
          value={hours}
          onChange={setHours}
          choices={[
            { value: '0', label: text('overlapNone') },
            { value: '1', label: text('overlapHour') },
            { value: '24', label: text('overlapDay') },
            { value: '168', label: text('overlapWeek') },
          ]}
        />
        {rotate.error && <Problem error={rotate.error} />}
      </div>
    </Dialog>
  );
}

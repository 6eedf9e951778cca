// Buying credit at the payment provider.
import { useState } from 'react';
import { useChange } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Segments } from '../../ui/select.tsx';
import { useUsageText } from './text.ts';

export function BuyCredit({
  open,
  onClose,
  amounts,
}: {
  open: boolean;
  onClose: () => void;
  amounts: readonly number[];
}) {
  const common = useCommonText();
  const text = useUsageText();
  const format = useFormat();
  const [amount, setAmount] = useState(String(amounts[0] ?? 10));
  const going = useChange('startCheckout', { onDone: ({ url }) => location.assign(url) });
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={text('buy')}
      description={text('buyAbout')}
      actions={
        <>
          <Button onClick={onClose}>{common('cancel')}</Button>
          <Button
            look="primary"
            busy={going.isPending}
            onClick={() => going.mutate({ body: { amount_usd: Number(amount) } })}
          >
            {text('buyAction')}
          </Button>
        </>
      }
    >
      <Segments
        label={text('amount')}
        value={amount}
        onChange={setAmount}
        choices={amounts.map(each => ({ value: String(each), label: format.money(each) }))}
      />
    </Dialog>
  );
}

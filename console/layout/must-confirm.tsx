// Who has not confirmed the e-mail address yet reads only, and is told how that ends.
import { MailWarning } from 'lucide-react';
import { useChange, useSession } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';
import { Button } from '../ui/button.tsx';
import { toast } from '../ui/toast.tsx';

export function MustConfirm() {
  const text = useCommonText();
  const { must_confirm: must, person } = useSession();
  const sending = useChange('sendConfirmation', { onDone: () => toast(text('confirmSent')) });
  if (!must || !person) return null;
  return (
    <div
      role="status"
      className="no-print flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line bg-warn-soft px-4 py-2.5 sm:px-8"
    >
      <MailWarning aria-hidden="true" className="size-4 shrink-0 text-warn" />
      <span className="min-w-0 flex-1 basis-64">
        {text('mustConfirm', { email: person.new_email ?? person.email })}
      </span>
      <Button size="small" busy={sending.isPending} onClick={() => sending.mutate({ body: {} })}>
        {text('confirmAgain')}
      </Button>
    </div>
  );
}

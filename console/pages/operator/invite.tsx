// An invitation to sign up with an account of one's own, on a plan.
import { useState } from 'react';
import { useChange, useRoute } from '../../api/index.ts';
import { Select } from '../../ui/select.tsx';
import { InviteDialog } from '../settings/invite-dialog.tsx';
import { useOperatorText } from './text.ts';

export function InviteToSignUp({ onClose }: { onClose: () => void }) {
  const text = useOperatorText();
  const [plan, setPlan] = useState('free');
  const { data } = useRoute('listPlansInUse');
  const inviting = useChange('createSignUpInvitation', { quiet: true });
  return (
    <InviteDialog
      title={text('invite')}
      description={text('inviteAbout')}
      inviting={inviting}
      onClose={onClose}
      onInvite={email => inviting.mutate({ body: { email, plan } })}
    >
      <Select
        label={text('plan')}
        value={plan}
        onChange={setPlan}
        choices={(data?.data ?? []).map(each => ({ value: each.name, label: each.title }))}
      />
    </InviteDialog>
  );
}

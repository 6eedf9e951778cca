// Behind an invitation's link: signing up with it, or joining as the person who is signed in. The first administrator comes in here too.
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type Answer, call, signOut, useSession } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { prefer } from '../../preferences.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Skeleton } from '../../ui/empty.tsx';
import { toast } from '../../ui/toast.tsx';
import { Door } from './door.tsx';
import { explain, useEnter, useSignInText, useToken } from './entry.ts';
import { SignUpForm } from './sign-up-form.tsx';

type Read = Answer<'readInvitation'>;

export function InvitationPage() {
  const text = useSignInText();
  const token = useToken();
  return token ? <Invitation token={token} /> : <Note>{text('inviteMissing')}</Note>;
}

function Invitation({ token }: { token: string }) {
  const text = useSignInText();
  const reading = useQuery({
    queryKey: ['invitation', token],
    queryFn: () => call('readInvitation', { body: { token } }),
    retry: false,
  });
  if (reading.isError) return <Note>{text('inviteBroken')}</Note>;
  if (!reading.data) {
    return (
      <Door title={text('inviteTitle')}>
        <Skeleton />
      </Door>
    );
  }
  return <Open token={token} invitation={reading.data} />;
}

function Open({ token, invitation }: { token: string; invitation: Read }) {
  const text = useSignInText();
  const common = useCommonText();
  const enter = useEnter();
  const { person } = useSession();
  const { account, email, role, known } = invitation;
  const roleName =
    role && { owner: common('roleOwner'), member: common('roleMember'), viewer: common('roleViewer') }[role];
  const joined = account && roleName ? text('inviteAccount', { account, role: roleName }) : text('inviteOwn');
  // Only the first administrator's link is for whoever has it.
  const about = email === null ? text('inviteAdministrator') : joined;
  const joining = useMutation({
    mutationFn: () => call('acceptInvitation', { body: { token } }),
    onSuccess: async ({ account_id: id }) => {
      await enter();
      prefer({ account: id });
      toast(text('joined', { account: account ?? '' }));
    },
  });
  const isOther = person && email !== null && person.email.toLowerCase() !== email.toLowerCase();
  return (
    <Door title={text('inviteTitle')} about={about}>
      {isOther ? (
        <div className="flex flex-col items-start gap-4">
          <p>{text('inviteOther', { email: person.email, invited: email })}</p>
          <Button onClick={() => void signOut()}>{common('signOut')}</Button>
        </div>
      ) : person ? (
        <div className="flex flex-col gap-3">
          <Button look="primary" busy={joining.isPending} onClick={() => joining.mutate()}>
            {text('inviteAccept', { account: account ?? 'Vectorium' })}
          </Button>
          {joining.error && (
            <p role="alert" className="text-sm text-bad">
              {explain(joining.error, text)}
            </p>
          )}
        </div>
      ) : known && email ? (
        <div className="flex flex-col items-start gap-4">
          <p>{text('inviteKnown', { email })}</p>
          <Link
            to="/console/sign-in"
            search={{ back: '/console/invitation' }}
            className="font-medium text-accent hover:underline"
          >
            {text('signInLink')}
          </Link>
        </div>
      ) : (
        <SignUpForm invitation={token} invited={email} onDone={() => enter()} />
      )}
    </Door>
  );
}

function Note({ children }: { children: string }) {
  const text = useSignInText();
  return (
    <Door title={text('inviteTitle')}>
      <p className="rounded-lg border border-line bg-surface p-4">{children}</p>
      <div className="mt-4">
        <ButtonLink to="/console/sign-in">{text('signInLink')}</ButtonLink>
      </div>
    </Door>
  );
}

// Signing up with an account of one's own, or with an invitation, whose link leads here.
import { Link, useSearch } from '@tanstack/react-router';
import { useSession } from '../../api/index.ts';
import { Door } from './door.tsx';
import { useEnter, useSignInText, useToken } from './entry.ts';
import { Invitation } from './invitation.tsx';
import { SignUpForm } from './sign-up-form.tsx';

export function SignUpPage() {
  const token = useToken();
  return token ? <Invitation token={token} /> : <Open />;
}

function Open() {
  const text = useSignInText();
  const { back } = useSearch({ from: '/sign-up' });
  const { sign_up: signUp } = useSession();
  const enter = useEnter();
  return (
    <Door
      title={text('signUpTitle')}
      about={signUp === 'open' && text('signUpAbout')}
      below={
        <>
          {text('haveAccount')}{' '}
          <Link to="/sign-in" search={back ? { back } : {}} className="font-medium text-accent hover:underline">
            {text('signInLink')}
          </Link>
        </>
      }
    >
      {signUp === 'open' ? (
        <SignUpForm onDone={() => enter(back)} />
      ) : (
        <p className="rounded-lg border border-line bg-surface p-4">
          {text(signUp === 'invitation' ? 'signUpInvitationOnly' : 'signUpClosed')}
        </p>
      )}
    </Door>
  );
}

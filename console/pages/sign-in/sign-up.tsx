// Signing up with an account of one's own.
import { Link, useSearch } from '@tanstack/react-router';
import { useSession } from '../../api/index.ts';
import { Door } from './door.tsx';
import { useEnter, useSignInText } from './entry.ts';
import { SignUpForm } from './sign-up-form.tsx';

export function SignUpPage() {
  const text = useSignInText();
  const { back } = useSearch({ from: '/console/sign-up' });
  const { sign_up: signUp } = useSession();
  const enter = useEnter();
  return (
    <Door
      title={text('signUpTitle')}
      about={signUp === 'open' && text('signUpAbout')}
      below={
        <>
          {text('haveAccount')}{' '}
          <Link to="/console/sign-in" search={back ? { back } : {}} className="font-medium text-accent hover:underline">
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

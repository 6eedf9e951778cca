// Signing in with e-mail and password, or through the operator's identity provider.
import { useMutation } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { call, useSession } from '../../api/index.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/field.tsx';
import { Door } from './door.tsx';
import { explain, useEnter, useSignInText } from './entry.ts';

export function SignInPage() {
  const text = useSignInText();
  const { back, error } = useSearch({ from: '/console/sign-in' });
  const { sign_up: signUp, sign_in: signIn } = useSession();
  const enter = useEnter();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const signing = useMutation({
    mutationFn: () => call('signIn', { body: { email, password } }),
    onSuccess: () => enter(back),
  });
  const leaving = useMutation({
    mutationFn: () => call('startOidc'),
    onSuccess: ({ url }) => location.assign(url),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signing.mutate();
  };
  return (
    <Door
      title={text('signInTitle')}
      below={
        signUp === 'open' && (
          <>
            {text('noAccount')}{' '}
            <Link
              to="/console/sign-up"
              search={back ? { back } : {}}
              className="font-medium text-accent hover:underline"
            >
              {text('signUpLink')}
            </Link>
          </>
        )
      }
    >
      {error && (
        <p role="alert" className="mb-5 rounded-lg bg-bad-soft p-3 text-bad">
          {text('providerFailed')}
        </p>
      )}
      {signIn.oidc && (
        <>
          <Button className="w-full" busy={leaving.isPending} onClick={() => leaving.mutate()}>
            {text('signInWith', { name: signIn.oidc.name })}
          </Button>
          <div className="my-5 flex items-center gap-3 text-sm text-faint before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
            {text('or')}
          </div>
        </>
      )}
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={text('email')}
          type="email"
          name="email"
          autoComplete="username"
          required
          value={email}
          onChange={event => setEmail(event.target.value)}
        />
        <TextField
          label={text('password')}
          type="password"
          name="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={event => setPassword(event.target.value)}
          error={signing.error && explain(signing.error, text)}
        />
        <Button look="primary" type="submit" busy={signing.isPending} className="mt-1">
          {text('signInAction')}
        </Button>
        <Link to="/console/reset-password" className="text-sm text-muted hover:text-ink hover:underline">
          {text('forgot')}
        </Link>
      </form>
    </Door>
  );
}

// A new password: asking for the link, and choosing one behind it.
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { call, useSession } from '../../api/index.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/field.tsx';
import { Door } from './door.tsx';
import { explain, useSignInText, useToken } from './entry.ts';

export function ResetPage() {
  const token = useToken();
  return token ? <Choose token={token} /> : <Ask />;
}

function Ask() {
  const text = useSignInText();
  const { mail } = useSession();
  const [email, setEmail] = useState('');
  const asking = useMutation({ mutationFn: () => call('requestReset', { body: { email } }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    asking.mutate();
  };
  if (asking.isSuccess) {
    return (
      <Door title={text('resetTitle')} below={<BackLink />}>
        <p role="status">{mail ? text('resetSent', { email }) : text('resetNoMail')}</p>
      </Door>
    );
  }
  return (
    <Door title={text('resetTitle')} about={text('resetAbout')} below={<BackLink />}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={text('email')}
          type="email"
          name="email"
          autoComplete="username"
          required
          value={email}
          onChange={event => setEmail(event.target.value)}
          error={asking.error && explain(asking.error, text)}
        />
        <Button look="primary" type="submit" busy={asking.isPending}>
          {text('resetAction')}
        </Button>
      </form>
    </Door>
  );
}

function Choose({ token }: { token: string }) {
  const text = useSignInText();
  const [password, setPassword] = useState('');
  const saving = useMutation({ mutationFn: () => call('resetPassword', { body: { newPassword: password, token } }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <Door title={text('chooseTitle')} below={<BackLink />}>
      {saving.isSuccess ? (
        <p role="status">{text('chosen')}</p>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-4">
          <TextField
            label={text('newPassword')}
            hint={text('passwordHint')}
            type="password"
            name="password"
            autoComplete="new-password"
            required
            minLength={10}
            maxLength={128}
            value={password}
            onChange={event => setPassword(event.target.value)}
            error={saving.error && explain(saving.error, text)}
          />
          <Button look="primary" type="submit" busy={saving.isPending}>
            {text('chooseAction')}
          </Button>
        </form>
      )}
    </Door>
  );
}

function BackLink() {
  const text = useSignInText();
  return (
    <Link to="/console/sign-in" className="font-medium text-accent hover:underline">
      {text('backToSignIn')}
    </Link>
  );
}

// Name, address and password of a new person; with an invitation where there is one.
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { call } from '../../api/index.ts';
import { usePreferences } from '../../preferences.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/field.tsx';
import { explain, useSignInText } from './entry.ts';

interface SignUpFormProps {
  /** The token of an invitation. */
  invitation?: string;
  /** The address that the invitation is for; it can't be changed. */
  invited?: string | null;
  onDone: () => unknown;
}

export function SignUpForm({ invitation, invited, onDone }: SignUpFormProps) {
  const text = useSignInText();
  const { language } = usePreferences();
  const [name, setName] = useState('');
  const [email, setEmail] = useState(invited ?? '');
  const [password, setPassword] = useState('');
  const signing = useMutation({
    mutationFn: () => call('signUp', { body: { name, email, password, language, ...(invitation && { invitation }) } }),
    onSuccess: onDone,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signing.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <TextField
        label={text('name')}
        name="name"
        autoComplete="name"
        required
        maxLength={100}
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <TextField
        label={text('email')}
        type="email"
        name="email"
        autoComplete="username"
        required
        readOnly={Boolean(invited)}
        value={email}
        onChange={event => setEmail(event.target.value)}
      />
      <TextField
        label={text('password')}
        hint={text('passwordHint')}
        type="password"
        name="password"
        autoComplete="new-password"
        required
        minLength={10}
        maxLength={128}
        value={password}
        onChange={event => setPassword(event.target.value)}
        error={signing.error && explain(signing.error, text)}
      />
      <Button look="primary" type="submit" busy={signing.isPending} className="mt-1">
        {text('signUpAction')}
      </Button>
    </form>
  );
}

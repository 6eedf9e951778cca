// Behind the link in a mail: the address is the person's. Nobody need be signed in.
import { useQuery } from '@tanstack/react-query';
import { call, queries } from '../../api/index.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { Skeleton } from '../../ui/empty.tsx';
import { Door } from './door.tsx';
import { explain, useSignInText, useToken } from './entry.ts';

export function ConfirmPage() {
  const text = useSignInText();
  const token = useToken();
  const confirming = useQuery({
    queryKey: ['confirmEmail', token],
    queryFn: async () => {
      const answer = await call('confirmEmail', { body: { token: token ?? '' } });
      await queries.invalidateQueries({ queryKey: ['getSession'] });
      return answer;
    },
    enabled: token !== null,
    retry: false,
    staleTime: Infinity,
  });
  return (
    <Door title={text('confirmTitle')} below={<ButtonLink to="/">{text('confirmOn')}</ButtonLink>}>
      {token === null ? (
        <p role="alert">{text('confirmMissing')}</p>
      ) : confirming.data ? (
        <p role="status">{text('confirmed', { email: confirming.data.email })}</p>
      ) : confirming.error ? (
        <p role="alert">
          {text('confirmBroken')} {explain(confirming.error, text)}
        </p>
      ) : (
        <Skeleton lines={2} />
      )}
    </Door>
  );
}

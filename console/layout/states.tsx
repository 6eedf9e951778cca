// What is shown in a page's stead: nothing there, not there yet, broken.
import type { ErrorComponentProps } from '@tanstack/react-router';
import { CircleAlert, Compass } from 'lucide-react';
import { useCommonText } from '../messages/common.ts';
import { ApiProblem } from '../api/index.ts';
import { Button, ButtonLink } from '../ui/button.tsx';
import { Empty, Problem } from '../ui/empty.tsx';
import { Spinner } from '../ui/spinner.tsx';
import { useTitle } from './page.tsx';

export function NotFound() {
  const text = useCommonText();
  useTitle(text('notFoundTitle'));
  return (
    <Empty
      heading="h1"
      icon={<Compass />}
      title={text('notFoundTitle')}
      action={<ButtonLink to="/">{text('backToOverview')}</ButtonLink>}
    >
      {text('notFoundAbout')}
    </Empty>
  );
}

export function Pending() {
  const text = useCommonText();
  return (
    <div role="status" aria-label={text('loading')} className="flex justify-center py-24 text-faint appear">
      <Spinner />
    </div>
  );
}

export function Broken({ error, reset }: ErrorComponentProps) {
  const text = useCommonText();
  if (error instanceof ApiProblem) {
    return (
      <div className="mx-auto max-w-xl px-6 py-16">
        <Problem error={error} retry={reset} />
      </div>
    );
  }
  return (
    <Empty
      heading="h1"
      icon={<CircleAlert />}
      title={text('brokenTitle')}
      action={<Button onClick={() => location.reload()}>{text('reload')}</Button>}
    >
      {text('brokenAbout')}
    </Empty>
  );
}

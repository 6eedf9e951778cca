// What stands where there is nothing yet, is being fetched, or couldn't be: it says what would be here and how it comes about.
import { type ReactNode, useState } from 'react';
import { ApiProblem } from '../api/problem.ts';
import { useCommonText } from '../messages/common.ts';
import { adviceKey } from '../messages/advice.ts';
import { Button } from './button.tsx';
import { CopyButton } from './copy.tsx';

interface EmptyProps {
  icon?: ReactNode;
  title: ReactNode;
  /** What would be here, and what it is good for. */
  children?: ReactNode;
  /** How to begin. */
  action?: ReactNode;
  /** `h1` where it stands in a whole page's stead. */
  heading?: 'h1' | 'h2';
}

export function Empty({ icon, title, children, action, heading: Heading = 'h2' }: EmptyProps) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      {icon && (
        <div className="mb-4 flex size-10 items-center justify-center rounded-lg bg-hover text-muted [&_svg]:size-5">
          {icon}
        </div>
      )}
      <Heading className="font-semibold">{title}</Heading>
      {children && <div className="mt-1.5 max-w-md text-muted">{children}</div>}
      {action && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** An error in the API's own words, what to do about it, and the id under which the server's log has it. */
export function Problem({ error, retry }: { error: Error; retry?: () => unknown }) {
  const text = useCommonText();
  const [trying, setTrying] = useState(false);
  const problem = error instanceof ApiProblem ? error : null;
  return (
    <div role="alert" className="rounded-lg border border-bad/30 bg-bad-soft px-4 py-3 text-left">
      <p className="font-medium text-bad">{error.message}</p>
      {problem?.faults.slice(1).map(fault => (
        <p key={fault.path} className="text-sm text-bad">
          {fault.message}
        </p>
      ))}
      <p className="mt-1 text-sm text-muted">{text(adviceKey(problem))}</p>
      {(retry ?? problem?.requestId) && (
        <div className="mt-3 flex flex-wrap items-center gap-3">
          {retry && (
            <Button
              size="small"
              busy={trying}
              onClick={() => {
                setTrying(true);
                void Promise.resolve(retry()).finally(() => setTrying(false));
              }}
            >
              {text('tryAgain')}
            </Button>
          )}
          {problem?.requestId && (
            <span className="inline-flex items-center gap-1 font-mono text-xs text-muted">
              {problem.requestId}
              <CopyButton value={problem.requestId} label={text('copyRequestId')} />
            </span>
          )}
        </div>
      )}
    </div>
  );
}

/** Lines where text will be. They appear late, so that quick answers don't flicker. */
export function Skeleton({ lines = 4 }: { lines?: number }) {
  const text = useCommonText();
  return (
    <div role="status" aria-label={text('loading')} className="flex flex-col gap-3 p-5 appear">
      {Array.from({ length: lines }, (_, index) => (
        // oxlint-disable-next-line react/no-array-index-key
        <div key={index} className="h-4 rounded-sm bg-hover shimmer odd:w-full even:w-3/4" />
      ))}
    </div>
  );
}

// The head and the width of a page.
import { type ReactNode, useEffect } from 'react';
import { classes } from '../ui/classes.ts';

interface PageProps {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** Uses all of the window's width, e.g. for a wide table. */
  wide?: boolean;
  /** Stands above the title, e.g. the way back. */
  above?: ReactNode;
}

export function Page({ title, description, actions, children, wide = false, above }: PageProps) {
  useTitle(title);
  return (
    <div
      className={classes('mx-auto flex w-full flex-col gap-6 px-4 pt-6 pb-16 sm:px-8 sm:pt-9', !wide && 'max-w-6xl')}
    >
      <header className="flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-80">
          {above}
          <h1 className="text-xl font-semibold tracking-tight break-words">{title}</h1>
          {description && <p className="mt-1 max-w-2xl text-muted">{description}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Vectorium`;
  }, [title]);
}

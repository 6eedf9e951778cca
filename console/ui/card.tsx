// Where things stand on a page: a card with a head, figures, and a list of names with values.
import type { ReactNode } from 'react';
import { classes } from './classes.ts';

interface CardProps {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  /** Lets a table or plot reach the edges. */
  flush?: boolean;
  className?: string;
}

export function Card({ title, description, actions, children, flush = false, className }: CardProps) {
  return (
    <section className={classes('min-w-0 rounded-xl border border-line bg-surface shadow-card', className)}>
      {(title || actions) && (
        <div
          className={classes('flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-5 pt-4', flush && 'pb-3')}
        >
          <div className="min-w-0">
            {title && <h2 className="font-semibold tracking-tight">{title}</h2>}
            {description && <p className="mt-0.5 text-sm text-muted">{description}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
      )}
      <div className={flush ? '' : 'px-5 pt-4 pb-5'}>{children}</div>
    </section>
  );
}

/** A figure with its name above and something about it below. */
export function Figure({ label, value, about }: { label: ReactNode; value: ReactNode; about?: ReactNode }) {
  return (
    <div className="min-w-0">
      <div className="text-sm text-muted">{label}</div>
      <div className="mt-1 truncate text-2xl font-semibold tracking-tight">{value}</div>
      {about && <div className="mt-1 text-sm text-muted">{about}</div>}
    </div>
  );
}

/** Figures side by side, parted by lines. */
export function Figures({ children }: { children: ReactNode }) {
  return (
    <div className="flex flex-wrap gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card *:flex-[1_1_9.5rem] *:bg-surface *:px-5 *:py-4 sm:*:basis-44">
      {children}
    </div>
  );
}

/** Names and their values. */
export function Facts({ facts }: { facts: readonly (readonly [name: ReactNode, value: ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[minmax(7rem,auto)_minmax(0,1fr)] gap-x-6 gap-y-2.5 text-sm">
      {facts.map(([name, value], index) => (
        // The list of a card never changes its order.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={index} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

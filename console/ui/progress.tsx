// How far something is.
import { classes } from './classes.ts';

/** `value` from 0 to 1; null: at work, nobody knows how far. */
export function Progress({
  value,
  label,
  tone = 'accent',
}: {
  value: number | null;
  label: string;
  tone?: 'accent' | 'warn' | 'bad' | 'good';
}) {
  const share = value === null ? null : Math.min(1, Math.max(0, value));
  const colour = { accent: 'bg-accent', warn: 'bg-warn', bad: 'bg-bad', good: 'bg-good' }[tone];
  return (
    <div
      role="progressbar"
      aria-label={label}
      {...(share !== null && { 'aria-valuenow': Math.round(share * 100), 'aria-valuemin': 0, 'aria-valuemax': 100 })}
      className="h-1.5 w-full overflow-hidden rounded-full bg-line"
    >
      <div
        className={classes(
          'h-full rounded-full transition-[width] duration-300',
          colour,
          share === null && 'w-1/3 shimmer',
        )}
        {...(share !== null && { style: { width: `${share * 100}%` } })}
      />
    </div>
  );
}

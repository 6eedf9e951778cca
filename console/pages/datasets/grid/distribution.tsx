// What a column holds, small: a histogram of numbers and dates, the most frequent of texts, and how much is missing.
import type { Answer } from '../../../api/index.ts';
import { useFormat } from '../../../messages/format.ts';
import { useDatasetText } from '../text.ts';
import { cellText } from './cells.ts';

export type Profile = Answer<'getProfile'>['columns'][number];

export function Distribution({ profile, rows }: { profile: Profile; rows: number }) {
  const text = useDatasetText();
  const format = useFormat();
  const missing = rows === 0 ? 0 : profile.nulls / rows;
  return (
    <div className="mt-1.5">
      {profile.histogram ? <Bars profile={profile} /> : <Most profile={profile} />}
      <div className="mt-1 flex justify-between gap-2 text-xs text-muted">
        <span className="truncate">{text('distinct', { count: profile.distinct })}</span>
        {profile.nulls > 0 && (
          <span className={missing > 0.2 ? 'shrink-0 text-warn' : 'shrink-0'}>
            {text('missing', { share: missing < 0.01 ? '<1 %' : format.percent(missing) })}
          </span>
        )}
      </div>
    </div>
  );
}

export function Bars({ profile, className = 'h-8' }: { profile: Profile; className?: string }) {
  const bins = profile.histogram ?? [];
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const text = useDatasetText();
  const wide = 100 / Math.max(1, bins.length);
  return (
    <svg
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={text('histogram', { least: cellText(profile.min), most: cellText(profile.max) })}
      className={`block w-full ${className}`}
    >
      {bins.map(({ count }, index) => (
        <rect
          // Bins have no name but their place.
          // oxlint-disable-next-line react/no-array-index-key
          key={index}
          x={index * wide}
          width={wide * 0.86}
          y={30 - (count === 0 ? 0 : Math.max(1, (count / most) * 30))}
          height={count === 0 ? 0 : Math.max(1, (count / most) * 30)}
          className="fill-accent/55"
        />
      ))}
    </svg>
  );
}

/** The shares of the most frequent values in one bar, and the first by name. */
function Most({ profile }: { profile: Profile }) {
  const [first] = profile.top;
  const all = Math.max(1, profile.count);
  const shares = profile.top.slice(0, 5).map(({ count }) => (count / all) * 100);
  return (
    <div className="h-8">
      <svg
        viewBox="0 0 100 4"
        preserveAspectRatio="none"
        aria-hidden="true"
        className="block h-1.5 w-full overflow-hidden rounded-full"
      >
        <rect width="100" height="4" className="fill-line" />
        {shares.map((width, index) => (
          <rect
            // Values of a column are in their order, and may be anything.
            // oxlint-disable-next-line react/no-array-index-key
            key={index}
            x={shares.slice(0, index).reduce((sum, share) => sum + share, 0)}
            width={Math.max(0, width - 0.8)}
            height="4"
            className="fill-accent"
            opacity={0.75 - index * 0.13}
          />
        ))}
      </svg>
      <div className="mt-1.5 truncate text-xs text-muted">{first && cellText(first.value)}</div>
    </div>
  );
}

// The text with its chunks marked in it; a chunk can be pressed.
import { useMemo } from 'react';
import { useFormat } from '../../messages/format.ts';
import { classes } from '../../ui/classes.ts';
import { chunkSpans, segments } from './spans.ts';
import { usePlaygroundText } from './text.ts';

interface ChunkedTextProps {
  text: string;
  chunks: readonly string[];
  chosen: number;
  onChoose: (chunk: number) => void;
}

const colours = 6;

export function ChunkedText({ text: whole, chunks, chosen, onChoose }: ChunkedTextProps) {
  const text = usePlaygroundText();
  const format = useFormat();
  const parts = useMemo(() => segments(chunkSpans(whole, chunks) ?? []), [whole, chunks]);
  return (
    <div className="flex flex-col gap-5">
      {parts.length > 0 && (
        <p
          className="max-h-[28rem] overflow-y-auto leading-7 whitespace-pre-wrap"
          tabIndex={0}
          aria-label={text('chunkedText')}
          role="region"
        >
          {parts.map(({ start, end, chunks: holders }) => (
            // The list below has the same for keyboards.
            // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
            <mark
              key={start}
              onClick={() =>
                onChoose(
                  holders.includes(chosen)
                    ? (holders.find(each => each > chosen) ?? holders[0] ?? 0)
                    : (holders[0] ?? 0),
                )
              }
              style={{ background: background(holders) }}
              className={classes(
                'cursor-pointer box-decoration-clone rounded-[3px] py-0.5 text-ink transition-shadow',
                holders.includes(chosen) && 'shadow-[0_2px_0_0_var(--color-accent)]',
              )}
            >
              {whole.slice(start, end)}
            </mark>
          ))}
        </p>
      )}
      <ol className="grid gap-1.5 sm:grid-cols-2 xl:grid-cols-3">
        {chunks.map((chunk, index) => (
          // A chunk has no name but its place.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={index} className="min-w-0">
            {/* Its text is its label. */}
            {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
            <button
              type="button"
              aria-pressed={index === chosen}
              onClick={() => onChoose(index)}
              className="flex w-full items-center gap-2.5 rounded-md border border-line px-2.5 py-1.5 text-left text-sm hover:border-line-strong aria-pressed:border-accent aria-pressed:bg-accent-soft"
            >
              <span
                aria-hidden="true"
                className="size-2.5 shrink-0 rounded-full"
                style={{ background: colour(index) }}
              />
              <span className="min-w-0 flex-1">
                <span className="flex justify-between gap-2">
                  <span className="font-medium">{text('chunk', { number: index + 1 })}</span>
                  <span className="text-muted">{format.number(chunk.length)}</span>
                </span>
                <span className="block truncate text-muted">{chunk.trim()}</span>
              </span>
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}

function colour(chunk: number): string {
  return `var(--color-plot-${(chunk % colours) + 1})`;
}

function soft(chunk: number): string {
  return `color-mix(in oklab, ${colour(chunk)} 20%, transparent)`;
}

/** One chunk's colour, or stripes of those that share the part. */
function background(holders: readonly number[]): string {
  const [one = 0, other] = holders;
  if (other === undefined) return soft(one);
  return `repeating-linear-gradient(-55deg, ${soft(one)} 0 5px, ${soft(other)} 5px 10px)`;
}

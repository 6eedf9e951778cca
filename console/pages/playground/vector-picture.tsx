// A vector as a row of coloured cells.
import { useEffect, useRef } from 'react';
import { useFormat } from '../../messages/format.ts';
import { paint } from './canvas.ts';
import { usePlaygroundText } from './text.ts';

export function VectorPicture({ vector }: { vector: Float32Array }) {
  const text = usePlaygroundText();
  const format = useFormat();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [least, most] = [Math.min(...vector), Math.max(...vector)];
  useEffect(
    () =>
      paint(canvas.current, ({ context, width, height, colour }) => {
        const columns = Math.min(vector.length, Math.max(24, Math.floor(width / 9)));
        const rows = Math.ceil(vector.length / columns);
        const [wide, high] = [width / columns, height / rows];
        const strongest = vector.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
        for (const [index, value] of vector.entries()) {
          context.globalAlpha = Math.min(1, 0.06 + 0.94 * Math.sqrt(Math.abs(value) / strongest));
          context.fillStyle = colour(value >= 0 ? 'plot-1' : 'plot-3');
          const [x, y] = [(index % columns) * wide, Math.floor(index / columns) * high];
          context.fillRect(x, y, wide - 1, high - 1);
        }
      }),
    [vector],
  );
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={text('vectorPicture', {
        count: vector.length,
        least: format.decimal(least, 3),
        most: format.decimal(most, 3),
      })}
      className="block h-28 w-full rounded-md"
    />
  );
}

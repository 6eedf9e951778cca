// Draws on a canvas at the screen's own resolution, again whenever its size or the theme changes.

export interface Brush {
  context: CanvasRenderingContext2D;
  /** CSS pixels. */
  width: number;
  height: number;
  /** A colour of the theme by its name, e.g. `plot-1`. */
  colour: (name: string) => string;
}

/** Gives what ends the drawing, as an effect wants it. */
export function paint(canvas: HTMLCanvasElement | null, draw: (brush: Brush) => void): () => void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) return () => {};
  const again = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw({ context, width, height, colour: colourReader(canvas) });
  };
  const observer = new ResizeObserver(again);
  observer.observe(canvas);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', again);
  const themes = new MutationObserver(again);
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    observer.disconnect();
    dark.removeEventListener('change', again);
    themes.disconnect();
  };
}

/** Names like `plot-1` stand for `light-dark(…)`, which only an element's own style resolves. */
function colourReader(canvas: HTMLCanvasElement): (name: string) => string {
  const known = new Map<string, string>();
  return name => {
    const seen = known.get(name);
    if (seen !== undefined) return seen;
    const before = canvas.style.color;
    // Where motion is reduced, every change is a very short transition, which would begin at the old colour.
    canvas.style.setProperty('transition', 'none', 'important');
    canvas.style.color = `var(--color-${name})`;
    const { color } = getComputedStyle(canvas);
    canvas.style.color = before;
    known.set(name, color);
    return color;
  };
}

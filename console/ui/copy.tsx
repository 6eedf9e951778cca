// Copies a value, and shows values and code that can be copied.
import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useCommonText } from '../messages/common.ts';
import { classes } from './classes.ts';

export function CopyButton({ value, label, className }: { value: string; label?: string; className?: string }) {
  const text = useCommonText();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      aria-label={copied ? text('copied') : (label ?? text('copy'))}
      title={label ?? text('copy')}
      onClick={() => void copy(value).then(setCopied)}
      className={classes(
        'inline-flex size-7 shrink-0 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-ink',
        className,
      )}
    >
      {copied ? <Check className="size-3.5 text-good" /> : <Copy className="size-3.5" />}
    </button>
  );
}

/** A line of code or a secret in a box, with a button that copies it. */
export function CopyLine({ value, label }: { value: string; label?: string }) {
  return (
    <div className="flex items-center gap-2 rounded-md border border-line bg-sunken py-1.5 pr-1.5 pl-3">
      <code className="min-w-0 flex-1 font-mono text-sm break-all select-all">{value}</code>
      <CopyButton value={value} {...(label && { label })} />
    </div>
  );
}

/** Several lines of code. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <div className="flex items-start rounded-lg border border-line bg-sunken">
      <pre
        tabIndex={0}
        aria-label={label}
        className="max-h-96 min-w-0 flex-1 overflow-auto rounded-lg py-4 pl-4 font-mono text-xs leading-5"
      >
        {code}
      </pre>
      <CopyButton value={code} className="m-2" />
    </div>
  );
}

/** The clipboard's API needs https or localhost; the old command works without. */
async function copy(value: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = value;
    area.className = 'sr-only';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

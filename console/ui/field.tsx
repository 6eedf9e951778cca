// Form fields: a label, the control, and what is to be known about it or is wrong with it.
import { type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes, useId } from 'react';
import { classes } from './classes.ts';

interface FieldProps {
  label: ReactNode;
  /** What is to be known before one writes. */
  hint?: ReactNode;
  error?: string | null | undefined;
  /** Marks fields that may stay empty. */
  optional?: string;
  /** For people who hear the page only; the label isn't seen. */
  hideLabel?: boolean;
  className?: string;
}

/** Ids and marks that tie a control to its label, hint and error. */
export interface Tie {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: true;
}

export function Field({
  label,
  hint,
  error,
  optional,
  hideLabel = false,
  className,
  children,
}: FieldProps & { children: (tie: Tie) => ReactNode }) {
  const id = useId();
  const about = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div className={classes('flex min-w-0 flex-col gap-1.5', className)}>
      <label htmlFor={id} className={hideLabel ? 'sr-only' : 'flex items-baseline justify-between text-sm font-medium'}>
        {label}
        {optional && <span className="text-xs font-normal text-faint">{optional}</span>}
      </label>
      {children({ id, ...(about && { 'aria-describedby': about }), ...(error && { 'aria-invalid': true as const }) })}
      {error ? (
        <p id={`${id}-error`} role="alert" className="text-sm text-bad">
          {error}
        </p>
      ) : (
        hint && (
          <p id={`${id}-hint`} className="text-sm text-muted">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

export const controlClasses =
  'w-full rounded-md border border-edge/60 bg-surface px-3 text-base text-ink transition-colors hover:border-edge focus:border-accent focus:outline-2 focus:outline-offset-0 focus:outline-accent/40 aria-invalid:border-bad disabled:opacity-55';

type InputProps = FieldProps & Omit<InputHTMLAttributes<HTMLInputElement>, 'className'> & { mono?: boolean };

export function TextField({ label, hint, error, optional, hideLabel, className, mono = false, ...rest }: InputProps) {
  return (
    <Field {...fieldProps({ label, hint, error, optional, hideLabel, className })}>
      {tie => <input {...rest} {...tie} className={classes(controlClasses, 'h-9', mono && 'font-mono text-sm')} />}
    </Field>
  );
}

type AreaProps = FieldProps & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'className'> & { mono?: boolean };

export function TextArea({ label, hint, error, optional, hideLabel, className, mono = false, ...rest }: AreaProps) {
  return (
    <Field {...fieldProps({ label, hint, error, optional, hideLabel, className })}>
      {tie => (
        <textarea
          {...rest}
          {...tie}
          className={classes(controlClasses, 'min-h-20 resize-y py-2', mono && 'font-mono text-sm')}
        />
      )}
    </Field>
  );
}

/** Leaves out what is undefined, which optional properties don't take. */
function fieldProps(given: { [Key in keyof FieldProps]: FieldProps[Key] | undefined }): FieldProps {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as FieldProps;
}

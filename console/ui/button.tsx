// Buttons, and links that look like them.
import { Link, type LinkProps } from '@tanstack/react-router';
import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { classes } from './classes.ts';
import { Spinner } from './spinner.tsx';

const shapes = {
  primary: 'bg-accent-solid text-white hover:bg-accent-solid-hover border-transparent',
  secondary: 'bg-surface text-ink border-line-strong hover:bg-hover',
  quiet: 'bg-transparent text-muted border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-bad-solid text-white hover:bg-bad-solid-hover border-transparent',
} as const;
const sizes = {
  small: 'h-7 px-2.5 text-sm gap-1.5',
  medium: 'h-8.5 px-3.5 text-base gap-2',
  /** Only an icon; give it an aria-label, which is also its tooltip. */
  icon: 'size-8 justify-center',
} as const;

interface Look {
  look?: keyof typeof shapes;
  size?: keyof typeof sizes;
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  /** Shows that it is at work, and takes no second press. */
  busy?: boolean;
  icon?: ReactNode;
}

export function Button({
  look = 'secondary',
  size = 'medium',
  busy = false,
  icon,
  children,
  disabled,
  className,
  type = 'button',
  ...rest
}: ButtonProps) {
  return (
    <button
      title={size === 'icon' ? rest['aria-label'] : undefined}
      {...rest}
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={classes(buttonClasses({ look, size }), className)}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

/** A link in a button's clothes. */
export function ButtonLink({
  look = 'secondary',
  size = 'medium',
  icon,
  children,
  className,
  ...rest
}: LinkProps & Look & { icon?: ReactNode; children?: ReactNode; className?: string }) {
  return (
    <Link {...rest} className={classes(buttonClasses({ look, size }), className)}>
      {icon}
      {children}
    </Link>
  );
}

export function buttonClasses({ look = 'secondary', size = 'medium' }: Look = {}): string {
  return classes(
    'inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap rounded-md border font-medium transition-colors duration-100',
    'disabled:opacity-55 disabled:pointer-events-none [&_svg]:size-4 [&_svg]:shrink-0',
    shapes[look],
    sizes[size],
  );
}

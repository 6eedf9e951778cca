// The command palette: every page and action by its name, from the keyboard.
import { Dialog } from '@base-ui/react/dialog';
import { useNavigate } from '@tanstack/react-router';
import { BookOpen, Languages, LogOut, Search, SunMoon, Users } from 'lucide-react';
import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react';
import { signOut, switchAccount, useSession } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';
import { prefer, themes } from '../preferences.ts';
import { classes } from '../ui/classes.ts';
import { pages } from './pages.ts';

interface Command {
  id: string;
  name: string;
  group: string;
  icon: ReactNode;
  run: () => unknown;
}

/** Calls back on Ctrl K and ⌘ K. */
export function useShortcut(open: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey)
        return;
      event.preventDefault();
      open();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [open]);
}

export function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  const text = useCommonText();
  return (
    <Dialog.Root open={open} onOpenChange={next => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-[light-dark(rgb(20_20_22/0.3),rgb(0_0_0/0.55))]" />
        <Dialog.Popup
          aria-label={text('searchLabel')}
          className="layer-motion fixed top-[14vh] left-1/2 z-40 w-[calc(100vw-2rem)] max-w-xl -translate-x-1/2 overflow-hidden rounded-xl bg-raised shadow-layer outline-none"
        >
          <Commands onClose={onClose} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Commands({ onClose }: { onClose: () => void }) {
  const text = useCommonText();
  const commands = useCommands();
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const found = commands.filter(command => fits(command.name, words));
  const current = Math.min(at, found.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const move = (to: number) => {
    setAt(to);
    list.current?.querySelectorAll('[role=option]').item(to)?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search className="size-4 text-faint" aria-hidden="true" />
        <input
          // The palette is opened to write in it.
          // oxlint-disable-next-line jsx-a11y/no-autofocus
          autoFocus
          role="combobox"
          aria-label={text('searchLabel')}
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={found[current] ? `${id}-${found[current].id}` : undefined}
          placeholder={text('search')}
          value={words}
          onChange={event => {
            setWords(event.target.value);
            setAt(0);
          }}
          onKeyDown={event => {
            if (event.key === 'ArrowDown') move(Math.min(current + 1, found.length - 1));
            else if (event.key === 'ArrowUp') move(Math.max(current - 1, 0));
            else if (event.key === 'Enter') run(found[current]);
            else return;
            event.preventDefault();
          }}
          className="h-12 w-full bg-transparent text-lg outline-none"
        />
      </div>
      <div
        ref={list}
        id={id}
        role="listbox"
        aria-label={text('searchLabel')}
        className="max-h-[50vh] overflow-y-auto p-1.5"
      >
        {found.map((command, index) => (
          <div key={command.id}>
            {command.group !== found[index - 1]?.group && (
              <div role="presentation" className="px-2.5 pt-2.5 pb-1 text-xs font-medium text-faint">
                {command.group}
              </div>
            )}
            <div
              id={`${id}-${command.id}`}
              role="option"
              aria-selected={index === current}
              tabIndex={-1}
              onPointerMove={() => setAt(index)}
              onClick={() => run(command)}
              onKeyDown={event => event.key === 'Enter' && run(command)}
              className={classes(
                'flex cursor-default items-center gap-3 rounded-md px-2.5 py-2 [&_svg]:size-4 [&_svg]:text-faint',
                index === current && 'bg-hover',
              )}
            >
              {command.icon}
              {command.name}
            </div>
          </div>
        ))}
        {found.length === 0 && <p className="px-2.5 py-6 text-center text-muted">{text('searchEmpty')}</p>}
      </div>
    </>
  );
}

function useCommands(): Command[] {
  const text = useCommonText();
  const navigate = useNavigate();
  const { accounts, account_id: current, operator } = useSession();
  return useMemo(
    () => [
      ...pages
        .filter(page => page.name !== 'operator' || operator)
        .map(page => ({
          id: page.name,
          name: text(page.name),
          group: text('goTo'),
          icon: <page.icon aria-hidden="true" />,
          run: () => navigate({ to: page.to }),
        })),
      {
        id: 'docs',
        name: text('reference'),
        group: text('goTo'),
        icon: <BookOpen aria-hidden="true" />,
        run: () => location.assign('/docs'),
      },
      ...accounts
        .filter(account => account.id !== current)
        .map(account => ({
          id: account.id,
          name: account.name,
          group: text('switchAccount'),
          icon: <Users aria-hidden="true" />,
          run: () => switchAccount(account.id),
        })),
      ...themes.map(theme => ({
        id: `theme-${theme}`,
        name: `${text('theme')}: ${{ system: text('themeSystem'), light: text('themeLight'), dark: text('themeDark') }[theme]}`,
        group: text('actions'),
        icon: <SunMoon aria-hidden="true" />,
        run: () => prefer({ theme }),
      })),
      {
        id: 'en',
        name: 'English',
        group: text('actions'),
        icon: <Languages aria-hidden="true" />,
        run: () => prefer({ language: 'en' }),
      },
      {
        id: 'tr',
        name: 'Türkçe',
        group: text('actions'),
        icon: <Languages aria-hidden="true" />,
        run: () => prefer({ language: 'tr' }),
      },
      {
        id: 'sign-out',
        name: text('signOut'),
        group: text('actions'),
        icon: <LogOut aria-hidden="true" />,
        run: () => signOut(),
      },
    ],
    [text, navigate, accounts, current, operator],
  );
}

/** Whether all words are in the name, in any order. */
function fits(name: string, words: string): boolean {
  const whole = name.toLocaleLowerCase();
  return words
    .toLocaleLowerCase()
    .split(/\s+/)
    .every(word => whole.includes(word));
}

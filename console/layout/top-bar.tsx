// The bar above each page: account, palette, and the person's own menu.
import { useNavigate } from '@tanstack/react-router';
import { ChevronsUpDown, LogOut, Plus, Search, Settings2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { signOut, switchAccount, useSession } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';
import { prefer, themes, usePreferences } from '../preferences.ts';
import { Badge } from '../ui/badge.tsx';
import { Menu, MenuItem, MenuLabel, MenuLine } from '../ui/menu.tsx';
import { NewAccount } from './new-account.tsx';
import { Palette, useShortcut } from './palette.tsx';

export function TopBar({ before }: { before: ReactNode }) {
  const text = useCommonText();
  const [searching, setSearching] = useState(false);
  useShortcut(() => setSearching(true));
  return (
    <header className="no-print sticky top-0 z-30 flex h-14 items-center gap-2 border-b border-line bg-canvas/90 px-4 backdrop-blur-sm sm:px-8">
      {before}
      <AccountMenu />
      <button
        type="button"
        onClick={() => setSearching(true)}
        className="ml-auto flex h-8.5 items-center gap-2 rounded-md border border-line bg-surface px-2.5 text-faint transition-colors hover:border-line-strong md:w-64"
      >
        <Search className="size-4" aria-hidden="true" />
        <span className="sr-only flex-1 text-left md:not-sr-only">{text('search')}</span>
        <kbd
          aria-hidden="true"
          className="hidden rounded-sm border border-line bg-sunken px-1.5 font-sans text-xs md:inline"
        >
          Ctrl K
        </kbd>
      </button>
      <PersonMenu />
      <Palette open={searching} onClose={() => setSearching(false)} />
    </header>
  );
}

function AccountMenu() {
  const text = useCommonText();
  const { accounts, account_id: current, role, may_add_account: mayAdd } = useSession();
  const [adding, setAdding] = useState(false);
  const account = accounts.find(each => each.id === current);
  const roles = { owner: text('roleOwner'), member: text('roleMember'), viewer: text('roleViewer') };
  return (
    <>
      <Menu
        align="start"
        trigger={
          <button
            type="button"
            className="flex h-8.5 min-w-0 items-center gap-2 rounded-md px-2 font-medium hover:bg-hover data-popup-open:bg-hover lg:-ml-2"
          >
            <span className="sr-only">{text('switchAccount')}: </span>
            <span className="truncate">{account?.name}</span>
            <span className="hidden sm:inline">
              <Badge>{account?.plan}</Badge>
            </span>
            {role === 'viewer' && <Badge tone="warn">{text('roleViewer')}</Badge>}
            <ChevronsUpDown className="size-3.5 shrink-0 text-faint" aria-hidden="true" />
          </button>
        }
      >
        <MenuLabel>{text('account')}</MenuLabel>
        {accounts.map(each => (
          <MenuItem key={each.id} checked={each.id === current} onSelect={() => void switchAccount(each.id)}>
            <span className="block truncate">{each.name}</span>
            <span className="block text-sm text-muted">{roles[each.role]}</span>
          </MenuItem>
        ))}
        {mayAdd && (
          <>
            <MenuLine />
            <MenuItem icon={<Plus />} onSelect={() => setAdding(true)}>
              {text('newAccount')}
            </MenuItem>
          </>
        )}
      </Menu>
      {adding && <NewAccount onClose={() => setAdding(false)} />}
    </>
  );
}

function PersonMenu() {
  const text = useCommonText();
  const navigate = useNavigate();
  const { theme } = usePreferences();
  const { person } = useSession();
  const themeNames = { system: text('themeSystem'), light: text('themeLight'), dark: text('themeDark') };
  const name = person?.name ?? '';
  return (
    <Menu
      trigger={
        <button
          type="button"
          className="flex size-8.5 shrink-0 items-center justify-center rounded-full bg-accent-soft text-sm font-semibold text-accent uppercase hover:ring-2 hover:ring-accent-line"
        >
          <span aria-hidden="true">{initials(name)}</span>
          <span className="sr-only">{`${text('person')}: ${name}`}</span>
        </button>
      }
    >
      <div className="px-2.5 pt-1.5 pb-2">
        <div className="truncate font-medium">{name}</div>
        <div className="truncate text-sm text-muted">{person?.email}</div>
      </div>
      <MenuLine />
      <MenuLabel>{text('theme')}</MenuLabel>
      {themes.map(each => (
        <MenuItem key={each} checked={each === theme} onSelect={() => prefer({ theme: each })}>
          {themeNames[each]}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem icon={<Settings2 />} onSelect={() => void navigate({ to: '/console/settings' })}>
        {text('settings')}
      </MenuItem>
      <MenuItem icon={<LogOut />} onSelect={() => void signOut()}>
        {text('signOut')}
      </MenuItem>
    </Menu>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ''].map(word => [...(word ?? '')][0] ?? '').join('');
}

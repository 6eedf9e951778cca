// The frame of every page: sidebar, top bar, and what is between. On a phone the sidebar comes from the edge.
import { Dialog } from '@base-ui/react/dialog';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { BookOpen, Menu as MenuIcon } from 'lucide-react';
import { useState } from 'react';
import { useSession } from '../api/index.ts';
import { useCommonText } from '../messages/common.ts';
import { Logo } from './logo.tsx';
import { MustConfirm } from './must-confirm.tsx';
import { pages } from './pages.ts';
import { TopBar } from './top-bar.tsx';

export function Frame() {
  const text = useCommonText();
  const path = useRouterState({ select: state => state.location.pathname });
  // Going to another page closes it.
  const [openAt, setOpenAt] = useState<string | null>(null);
  const open = openAt === path;
  const setOpen = (next: boolean) => setOpenAt(next ? path : null);
  return (
    <div className="min-h-dvh lg:pl-60">
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-24 rounded-md bg-raised px-3 py-2 font-medium shadow-layer focus:translate-y-0"
      >
        {text('skipToContent')}
      </a>
      <aside className="no-print fixed inset-y-0 left-0 hidden w-60 border-r border-line bg-canvas lg:block">
        <Navigation />
      </aside>
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Portal>
          <Dialog.Backdrop className="fixed inset-0 z-40 bg-[rgb(0_0_0/0.45)] transition-opacity duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0" />
          <Dialog.Popup
            aria-label={text('navigation')}
            className="fixed inset-y-0 left-0 z-40 w-64 bg-canvas shadow-layer transition-transform duration-200 ease-out outline-none data-ending-style:-translate-x-full data-starting-style:-translate-x-full"
          >
            <Navigation />
          </Dialog.Popup>
        </Dialog.Portal>
        <TopBar
          before={
            <Dialog.Trigger
              aria-label={text('openNavigation')}
              className="-ml-2 flex size-9 items-center justify-center rounded-md text-muted hover:bg-hover lg:hidden"
            >
              <MenuIcon className="size-5" />
            </Dialog.Trigger>
          }
        />
      </Dialog.Root>
      <MustConfirm />
      <main id="content" tabIndex={-1} className="outline-none">
        <Outlet />
      </main>
    </div>
  );
}

function Navigation() {
  const text = useCommonText();
  const { operator, version } = useSession();
  return (
    <nav aria-label={text('navigation')} className="flex h-full flex-col overflow-y-auto px-3 pb-4">
      <Link to="/" className="mb-3 flex h-14 shrink-0 items-center gap-2.5 px-2 font-semibold tracking-tight">
        <Logo />
        Vectorium
      </Link>
      <ul className="flex flex-col gap-0.5">
        {pages
          .filter(page => page.name !== 'operator' || operator)
          .map(page => (
            <li
              key={page.name}
              className={page.name === 'jobs' || page.name === 'keys' || page.name === 'operator' ? 'mt-0' : ''}
            >
              <Link
                to={page.to}
                activeOptions={{ exact: page.to === '/' }}
                className={navigationClasses}
                activeProps={{ className: 'bg-hover text-ink! [&_svg]:text-accent!' }}
              >
                <page.icon className="size-4 text-faint" aria-hidden="true" />
                {text(page.name)}
              </Link>
            </li>
          ))}
      </ul>
      <div className="mt-auto flex flex-col gap-0.5 pt-6">
        <a href="/docs" className={navigationClasses}>
          <BookOpen className="size-4 text-faint" aria-hidden="true" />
          {text('reference')}
        </a>
        <p className="px-2 pt-2 text-xs text-faint">{version}</p>
      </div>
    </nav>
  );
}

const navigationClasses =
  'flex h-8.5 items-center gap-2.5 rounded-md px-2 font-medium text-muted transition-colors hover:bg-hover hover:text-ink';

// The addresses of the console's pages. Each page is a part of its own, fetched when it is first gone to.
//
// Pages are below /console, apart from the overview at /, because the API has names such as /models and /usage at the root.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { loadSession } from './api/index.ts';
import { Broken, NotFound, Pending } from './layout/states.tsx';

const root = createRootRoute();

/** Pages for people who are signed in, inside the frame with the sidebar. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  async beforeLoad({ location }) {
    const { person } = await loadSession();
    if (!person)
      throw redirect({ to: '/console/sign-in', search: location.pathname === '/' ? {} : { back: location.href } });
  },
  component: lazyRouteComponent(() => import('./layout/frame.tsx'), 'Frame'),
});

const pages = [
  createRoute({
    getParentRoute: () => inside,
    path: '/',
    component: lazyRouteComponent(() => import('./pages/overview/page.tsx'), 'OverviewPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/playground',
    validateSearch: (search: Record<string, unknown>) => chosen(search, { view: ['chunks', 'similarity', 'map'] }),
    component: lazyRouteComponent(() => import('./pages/playground/page.tsx'), 'PlaygroundPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/datasets',
    component: lazyRouteComponent(() => import('./pages/datasets/page.tsx'), 'DatasetsPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/datasets/$id',
    validateSearch: (search: Record<string, unknown>) => ({
      ...chosen(search, { tab: ['rows', 'columns', 'history', 'code'] }),
      ...(Number.isSafeInteger(search['version']) && { version: Number(search['version']) }),
      ...(search['prepare'] === true && { prepare: true }),
    }),
    component: lazyRouteComponent(() => import('./pages/datasets/dataset.tsx'), 'DatasetPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/models',
    component: lazyRouteComponent(() => import('./pages/models/page.tsx'), 'ModelsPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/models/train',
    validateSearch: (search: Record<string, unknown>) => named(search, ['dataset']),
    component: lazyRouteComponent(() => import('./pages/models/train.tsx'), 'TrainPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/models/compare',
    validateSearch: (search: Record<string, unknown>) => named(search, ['one', 'other', 'dataset']),
    component: lazyRouteComponent(() => import('./pages/models/compare.tsx'), 'ComparePage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/models/chat',
    validateSearch: (search: Record<string, unknown>) => named(search, ['model']),
    component: lazyRouteComponent(() => import('./pages/models/chat.tsx'), 'ChatPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/models/$id',
    component: lazyRouteComponent(() => import('./pages/models/model.tsx'), 'ModelPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/jobs',
    component: lazyRouteComponent(() => import('./pages/jobs/page.tsx'), 'JobsPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/jobs/$id',
    component: lazyRouteComponent(() => import('./pages/jobs/job.tsx'), 'JobPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/keys',
    component: lazyRouteComponent(() => import('./pages/keys/page.tsx'), 'KeysPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/usage',
    component: lazyRouteComponent(() => import('./pages/usage/page.tsx'), 'UsagePage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/usage/invoices/$month',
    component: lazyRouteComponent(() => import('./pages/usage/invoice.tsx'), 'InvoicePage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/settings',
    component: lazyRouteComponent(() => import('./pages/settings/page.tsx'), 'SettingsPage'),
  }),
  createRoute({
    getParentRoute: () => inside,
    path: '/console/operator',
    component: lazyRouteComponent(() => import('./pages/operator/page.tsx'), 'OperatorPage'),
  }),
  // Whatever else: said within the frame, from which one gets on.
  createRoute({ getParentRoute: () => inside, path: '$', component: NotFound }),
] as const;

/** The parameters of an address that have one of the given values. */
function chosen<const Choices extends Record<string, readonly string[]>>(
  search: Record<string, unknown>,
  choices: Choices,
): { [Key in keyof Choices]?: Choices[Key][number] } {
  return Object.fromEntries(
    Object.entries(choices).flatMap(([key, values]) => {
      const value = values.find(each => each === search[key]);
      return value === undefined ? [] : [[key, value]];
    }),
  ) as { [Key in keyof Choices]?: Choices[Key][number] };
}

/** The parameters of an address that are ids or names. */
function named<const Key extends string>(
  search: Record<string, unknown>,
  keys: readonly Key[],
): { [Each in Key]?: string } {
  const given = keys.flatMap(key => (typeof search[key] === 'string' ? [[key, search[key]]] : []));
  return Object.fromEntries(given) as { [Each in Key]?: string };
}

interface Back {
  /** Where to go afterwards: an address of this console. */
  back?: string;
}

function backOf(search: Record<string, unknown>): Back {
  const { back } = search;
  return typeof back === 'string' && /^\/(?!\/)/.test(back) ? { back } : {};
}

const doors = [
  createRoute({
    getParentRoute: () => root,
    path: '/console/sign-in',
    validateSearch: (search): Back & { error?: string } => ({
      ...backOf(search),
      ...(typeof search['error'] === 'string' && { error: search['error'] }),
    }),
    loader: loadSession,
    component: lazyRouteComponent(() => import('./pages/sign-in/sign-in.tsx'), 'SignInPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/console/sign-up',
    validateSearch: backOf,
    loader: loadSession,
    component: lazyRouteComponent(() => import('./pages/sign-in/sign-up.tsx'), 'SignUpPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/console/reset-password',
    loader: loadSession,
    component: lazyRouteComponent(() => import('./pages/sign-in/reset.tsx'), 'ResetPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/console/confirm',
    loader: loadSession,
    component: lazyRouteComponent(() => import('./pages/sign-in/confirm.tsx'), 'ConfirmPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/console/invitation',
    loader: loadSession,
    component: lazyRouteComponent(() => import('./pages/sign-in/invitation.tsx'), 'InvitationPage'),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([inside.addChildren(pages), ...doors]),
  defaultPreload: 'intent',
  defaultPendingComponent: Pending,
  defaultPendingMs: 300,
  defaultErrorComponent: Broken,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

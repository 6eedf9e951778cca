// What the build makes of the contract: see vite.config.ts.
declare module 'virtual:routes' {
  const routes: Record<keyof typeof import('@vectorium/contract').routes, readonly [method: string, path: string]>;
  export default routes;
}

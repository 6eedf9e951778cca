// The door of the console's pages.
export { mountConsole } from './pages.ts';

// The server's door, for tests and benchmarks; people start it with server/vectorium.js.
export { startServer, type RunningServer } from './main.ts';
export { readSettings, type Settings } from './settings.ts';

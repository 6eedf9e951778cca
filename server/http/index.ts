// The HTTP room's door: the app, the way to mount a route on it, and the error that handlers throw.
export { type App, type AppOptions, type PersonCaller, type SessionCaller, type Sessions, createApp } from './app.ts';
export { checkOrigin, originOf, sessionTokenOf } from './admit.ts';
export { accept } from './body.ts';
export { ApiError, errorAnswer } from './errors.ts';
export { createLogger } from './log.ts';
export { type Context, Raw, mount } from './mount.ts';
export { type Readiness, mountProbes } from './probes.ts';
export { mountReference } from './reference.ts';

// What sessions, our routes and better-auth's set-up agree on. better-auth itself is loaded when somebody signs in, not with the server.
import { createHash } from 'node:crypto';

export const authPath = '/console/auth';
/** The header by which our routes tell where a request came from; what a client sends under this name is dropped. */
export const addressHeader = 'x-vectorium-address';

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

// Whether the OpenID provider is there and is the one that the operator means: its own document must call it by the same name, or
// somebody who answers in its place could say who anybody is.
import { z } from 'zod';
import { ApiError } from '../http/index.ts';
import type { OidcSettings } from './auth.ts';

const document = z.object({ issuer: z.string() });
const timeoutMs = 10_000;

export function discoveryUrl({ issuer }: OidcSettings): string {
  return `${withoutSlash(issuer)}/.well-known/openid-configuration`;
}

/** Asks once; resolves when it is, and throws SERVICE_UNAVAILABLE and asks again the next time when it isn't. */
export function createIssuerCheck(settings: OidcSettings, log: (event: string, fields: object) => void) {
  let known: Promise<void> | undefined;

  async function ask(): Promise<void> {
    let said: string;
    try {
      const response = await fetch(discoveryUrl(settings), { signal: AbortSignal.timeout(timeoutMs) });
      if (!response.ok) throw new Error(`${discoveryUrl(settings)} answered ${response.status}`);
      said = document.parse(await response.json()).issuer;
    } catch (error) {
      log('people.oidc_unavailable', { issuer: settings.issuer, message: messageOf(error) });
      throw new ApiError('SERVICE_UNAVAILABLE', { message: `${settings.name} does not answer; try again later` });
    }
    if (withoutSlash(said) === withoutSlash(settings.issuer)) return;
    log('people.oidc_unavailable', { issuer: settings.issuer, message: `it calls itself ${said}` });
    throw new ApiError('SERVICE_UNAVAILABLE', {
      message: `${settings.name} calls itself ${said}, not ${settings.issuer}: the operator must set OIDC_ISSUER so`,
    });
  }

  return async (): Promise<void> => {
    known ??= ask();
    try {
      await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

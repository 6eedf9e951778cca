// What the person chose for this browser: theme, language, and the account that is being looked at.
import { useSyncExternalStore } from 'react';

export const themes = ['system', 'light', 'dark'] as const;
export const languages = ['en', 'tr'] as const;
export type Theme = (typeof themes)[number];
export type Language = (typeof languages)[number];

export interface Preferences {
  theme: Theme;
  language: Language;
  /** The account that requests are made for; null: the person's first. */
  account: string | null;
}

/** Also read by public/console/theme.js. */
const place = 'vectorium';
const listeners = new Set<() => void>();
let current = read();

export function preferences(): Preferences {
  return current;
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

export function prefer(changes: Partial<Preferences>): void {
  current = { ...current, ...changes };
  try {
    localStorage.setItem(place, JSON.stringify(current));
  } catch {
    // A browser that keeps nothing still shows what was chosen, until the page is left.
  }
  apply();
  for (const listener of listeners) listener();
}

function apply(): void {
  const { dataset } = document.documentElement;
  if (current.theme === 'system') delete dataset['theme'];
  else dataset['theme'] = current.theme;
  document.documentElement.lang = current.language;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function read(): Preferences {
  const spoken = navigator.languages.some(tag => tag.toLowerCase().startsWith('tr')) ? 'tr' : 'en';
  const fallback: Preferences = { theme: 'system', language: spoken, account: null };
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? '{}') as Record<string, unknown>;
    return {
      theme: themes.find(theme => theme === kept['theme']) ?? fallback.theme,
      language: languages.find(language => language === kept['language']) ?? fallback.language,
      account: typeof kept['account'] === 'string' ? kept['account'] : null,
    };
  } catch {
    return fallback;
  }
}

apply();

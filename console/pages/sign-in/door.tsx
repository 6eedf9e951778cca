// The frame of the pages before the console: a card in the middle, language and theme at the edge.
import type { ReactNode } from 'react';
import { Logo } from '../../layout/logo.tsx';
import { useTitle } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { prefer, themes, usePreferences } from '../../preferences.ts';
import { Segments } from '../../ui/select.tsx';

export function Door({
  title,
  about,
  children,
  below,
}: {
  title: string;
  about?: ReactNode;
  children: ReactNode;
  below?: ReactNode;
}) {
  const text = useCommonText();
  const { language, theme } = usePreferences();
  useTitle(title);
  const themeNames = { system: text('themeSystem'), light: text('themeLight'), dark: text('themeDark') };
  return (
    <div className="flex min-h-dvh flex-col items-center px-4">
      <main className="my-auto flex w-full max-w-sm flex-col py-12">
        <div className="mb-8 flex items-center gap-2.5 text-lg font-semibold tracking-tight">
          <Logo />
          Vectorium
        </div>
        <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
        {about && <p className="mt-1.5 text-muted">{about}</p>}
        <div className="mt-7">{children}</div>
        {below && <div className="mt-6 text-muted">{below}</div>}
      </main>
      <footer className="flex flex-wrap items-center justify-center gap-3 pb-6">
        <Segments
          label={text('language')}
          value={language}
          onChange={chosen => prefer({ language: chosen })}
          choices={[
            { value: 'en', label: 'English' },
            { value: 'tr', label: 'Türkçe' },
          ]}
        />
        <Segments
          label={text('theme')}
          value={theme}
          onChange={chosen => prefer({ theme: chosen })}
          choices={themes.map(each => ({ value: each, label: themeNames[each] }))}
        />
      </footer>
    </div>
  );
}

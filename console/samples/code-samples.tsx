// The curl, Python and TypeScript of a request, with the language that the person looked at last.
import { useState } from 'react';
import { useCommonText } from '../messages/common.ts';
import { CodeBlock } from '../ui/copy.tsx';
import { Segments } from '../ui/select.tsx';
import { type Language, type SampleRequest, languages, sample } from './samples.ts';

const names: Record<Language, string> = { curl: 'curl', python: 'Python', typescript: 'TypeScript' };
const place = 'vectorium-sample-language';

export function CodeSamples({ request }: { request: SampleRequest }) {
  const text = useCommonText();
  const [language, setLanguage] = useState(kept);
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <Segments
        label={text('language')}
        choices={languages.map(value => ({ value, label: names[value] }))}
        value={language}
        onChange={chosen => {
          setLanguage(chosen);
          try {
            localStorage.setItem(place, chosen);
          } catch {
            // Then the next page begins with curl again.
          }
        }}
      />
      <CodeBlock code={sample(request, { language, origin: location.origin })} label={names[language]} />
    </div>
  );
}

function kept(): Language {
  try {
    const chosen = localStorage.getItem(place);
    return languages.find(language => language === chosen) ?? 'curl';
  } catch {
    return 'curl';
  }
}

// What a language model answered before it learnt and afterwards, beside what the data says.
import { Card } from '../../ui/card.tsx';
import { useModelText } from './text.ts';

/** As the card has it. */
export interface SampleAnswer {
  epoch: number;
  prompt: string;
  expected: string;
  answer: string;
}

export function SampleAnswers({ answers }: { answers: readonly SampleAnswer[] }) {
  const text = useModelText();
  const last = Math.max(0, ...answers.map(({ epoch }) => epoch));
  const after = answers.filter(({ epoch }) => epoch === last && last > 0);
  if (after.length === 0) return null;
  return (
    <Card title={text('answersTitle')} description={text('answersAbout')}>
      <ul className="flex flex-col gap-5">
        {after.map(({ prompt, expected, answer }) => {
          const before = answers.find(each => each.epoch === 0 && each.prompt === prompt);
          const said: (readonly [string, string])[] = [
            ...(expected ? [[text('answerExpected'), expected] as const] : []),
            ...(before ? [[text('answerBefore'), before.answer] as const] : []),
            [text('answerAfter'), answer],
          ];
          return (
            <li key={prompt} className="flex flex-col gap-2 border-t border-line pt-4 first:border-t-0 first:pt-0">
              <p className="font-medium break-words whitespace-pre-line">{spoken(prompt)}</p>
              <dl className="grid grid-cols-[minmax(5rem,auto)_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
                {said.map(([name, words]) => (
                  <div key={name} className="contents">
                    <dt className="text-muted">{name}</dt>
                    <dd className="line-clamp-3 break-words">
                      {spoken(words) || <span className="text-faint">{text('answerNone')}</span>}
                    </dd>
                  </div>
                ))}
              </dl>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

/** A prompt without the marks of its template, and an answer without what is no text. */
function spoken(template: string): string {
  return template.replaceAll(/<\|im_start\|>(system|user|assistant)?|<\|[^|<>]{1,40}\|>|<\/?s>|\uFFFD/g, '').trim();
}

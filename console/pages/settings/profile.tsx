// The person: name, language, theme, password, and where there are sessions.
import { type FormEvent, useState } from 'react';
import { reloadSession, useChange, useRoute, useSession } from '../../api/index.ts';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { prefer, themes, usePreferences } from '../../preferences.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Problem } from '../../ui/empty.tsx';
import { TextField } from '../../ui/field.tsx';
import { Segments } from '../../ui/select.tsx';
import { toast } from '../../ui/toast.tsx';
import { ChangeEmail } from './email.tsx';
import { useSettingsText } from './text.ts';

export function ProfileSettings() {
  const { person } = useSession();
  return (
    <div className="flex flex-col gap-6">
      <Profile />
      <Appearance />
      {person?.has_password && <Password />}
      <Sessions />
    </div>
  );
}

function Profile() {
  const common = useCommonText();
  const text = useSettingsText();
  const { person } = useSession();
  const [name, setName] = useState(person?.name ?? '');
  const [moving, setMoving] = useState(false);
  const saving = useChange('changePerson', {
    onDone: () => {
      void reloadSession();
      toast(common('saved'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate({ body: { name } });
  };
  return (
    <Card title={text('profileTitle')}>
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <TextField
          label={text('name')}
          required
          maxLength={100}
          autoComplete="name"
          value={name}
          onChange={event => setName(event.target.value)}
        />
        <div className="flex items-end gap-2">
          <TextField
            label={text('email')}
            className="flex-1"
            value={person?.email ?? ''}
            readOnly
            disabled
            {...(person?.new_email && { hint: text('emailWaits', { email: person.new_email }) })}
          />
          <Button className="h-9" onClick={() => setMoving(true)}>
            {text('changeEmail')}
          </Button>
        </div>
        {moving && <ChangeEmail onClose={() => setMoving(false)} />}
        <Button
          type="submit"
          look="primary"
          className="self-start"
          busy={saving.isPending}
          disabled={name === person?.name}
        >
          {common('save')}
        </Button>
      </form>
    </Card>
  );
}

function Appearance() {
  const common = useCommonText();
  const text = useSettingsText();
  const { theme, language } = usePreferences();
  const themeNames = { system: common('themeSystem'), light: common('themeLight'), dark: common('themeDark') };
  const saving = useChange('changePerson', { onDone: () => void reloadSession() });
  return (
    <Card title={text('appearance')} description={text('appearanceAbout')}>
      <div className="flex flex-col gap-5">
        <div className="flex flex-col gap-1.5">
          <span className="text-sm font-medium">{common('theme')}</span>
          <Segments
            label={common('theme')}
            value={theme}
            onChange={chosen => prefer({ theme: chosen })}
            choices={themes.map(each => ({ value: each, label: themeNames[each] }))}
          />
        </div>
        <div className="flex flex-col gap-1.5">
          <span className="text-sm font-medium">{common('language')}</span>
          <Segments
            label={common('language')}
            value={language}
            onChange={chosen => {
              prefer({ language: chosen });
              saving.mutate({ body: { language: chosen } });
            }}
            choices={[
              { value: 'en', label: 'English' },
              { value: 'tr', label: 'Türkçe' },
            ]}
          />
          <span className="text-sm text-muted">{text('languageAbout')}</span>
        </div>
      </div>
    </Card>
  );
}

function Password() {
  const text = useSettingsText();
  const [currentPassword, setCurrent] = useState('');
  const [newPassword, setNew] = useState('');
  const saving = useChange('changePassword', {
    quiet: true,
    refresh: ['listSessions'],
    onDone: () => {
      setCurrent('');
      setNew('');
      toast(text('passwordChanged'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate({ body: { currentPassword, newPassword } });
  };
  return (
    <Card title={text('passwordTitle')} description={text('passwordAbout')}>
      <form onSubmit={submit} className="flex max-w-md flex-col gap-4">
        <TextField
          label={text('currentPassword')}
          type="password"
          autoComplete="current-password"
          required
          value={currentPassword}
          onChange={event => setCurrent(event.target.value)}
        />
        <TextField
          label={text('newPassword')}
          hint={text('passwordHint')}
          type="password"
          autoComplete="new-password"
          required
          minLength={10}
          maxLength={128}
          value={newPassword}
          onChange={event => setNew(event.target.value)}
        />
        {saving.error && <Problem error={saving.error} />}
        <Button type="submit" className="self-start" busy={saving.isPending}>
          {text('changePassword')}
        </Button>
      </form>
    </Card>
  );
}

function Sessions() {
  const text = useSettingsText();
  const format = useFormat();
  const { data, error, refetch } = useRoute('listSessions');
  const ending = useChange('endSession', { refresh: ['listSessions'], onDone: () => toast(text('sessionEnded')) });
  if (error) return <Problem error={error} retry={refetch} />;
  const sessions = data?.data ?? [];
  return (
    <Card
      flush
      title={text('sessionsTitle')}
      actions={
        sessions.length > 1 && (
          <Button size="small" onClick={() => ending.mutate({ params: { id: 'others' } })}>
            {text('endOthers')}
          </Button>
        )
      }
    >
      <ul className="border-t border-line">
        {sessions.map(session => (
          <li
            key={session.id}
            className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-5 py-3 last:border-b-0"
          >
            <div className="min-w-0 flex-1">
              <div className="truncate font-medium">{browserOf(session.user_agent) ?? text('unknownBrowser')}</div>
              <div className="text-sm text-muted">
                {[session.address, text('signedInSince', { when: format.time(session.created_at) })]
                  .filter(Boolean)
                  .join(' · ')}
              </div>
            </div>
            {session.current ? (
              <Badge tone="good">{text('thisBrowser')}</Badge>
            ) : (
              <Button size="small" look="quiet" onClick={() => ending.mutate({ params: { id: session.id } })}>
                {text('endSession')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** "Firefox · Linux"; null where the header says neither. */
function browserOf(agent: string | null): string | null {
  const browser = /(Firefox|Edg|OPR|HeadlessChrome|Chrome|Safari)(?=\/)/.exec(agent ?? '')?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent ?? '')?.[1];
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', HeadlessChrome: 'Chrome', 'Mac OS X': 'macOS' };
  const found = [browser, system].filter(each => each !== undefined).map(each => names[each] ?? each);
  return found.length === 0 ? null : found.join(' · ');
}

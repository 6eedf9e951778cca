// The playground: the vector API tried out in the browser.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { Page } from '../../layout/page.tsx';
import { ViewerNote } from '../../layout/viewer-note.tsx';
import { useCommonText } from '../../messages/common.ts';
import { Tabs } from '../../ui/tabs.tsx';
import { ChunksView } from './chunks-view.tsx';
import { MapView } from './map-view.tsx';
import { type Settings, firstSettings } from './settings.tsx';
import { SimilarityView } from './similarity-view.tsx';
import { usePlaygroundText } from './text.ts';

export const views = ['chunks', 'similarity', 'map'] as const;

export function PlaygroundPage() {
  const common = useCommonText();
  const text = usePlaygroundText();
  const navigate = useNavigate();
  const { view = 'chunks' } = useSearch({ from: '/inside/console/playground' });
  const [settings, setSettings] = useState<Settings>(firstSettings);
  const shared = { settings, onSettings: setSettings };
  return (
    <Page title={common('playground')} description={text('about')}>
      <ViewerNote />
      <Tabs
        label={text('views')}
        value={view}
        onChange={id => {
          const next = views.find(each => each === id);
          void navigate({
            to: '/console/playground',
            search: next === 'chunks' || !next ? {} : { view: next },
            replace: true,
          });
        }}
        tabs={[
          { id: 'chunks', title: text('chunks'), content: <ChunksView {...shared} /> },
          { id: 'similarity', title: text('similarity'), content: <SimilarityView {...shared} /> },
          { id: 'map', title: text('map'), content: <MapView {...shared} /> },
        ]}
      />
    </Page>
  );
}

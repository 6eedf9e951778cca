// Starts the console.
import { CSPProvider } from '@base-ui/react/csp-provider';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './api/index.ts';
import './preferences.ts';
import { router } from './router.tsx';
import './styles.css';
import { Toasts } from './ui/toast.tsx';

const place = document.querySelector('#console');
if (!place) throw new Error('index.html has no #console');

createRoot(place).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Toasts />
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);

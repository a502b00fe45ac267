// SPDX-License-Identifier: Apache-2.0
import './styles/index.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { openSession } from './api/client';
import { App } from './app';

/** A link with #token=… is exchanged for a cookie, and leaves no trace in the history. */
async function enter() {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token');
  if (!token) return;
  window.history.replaceState(null, '', window.location.pathname + window.location.search);
  await openSession(token).catch(() => undefined);
}

const root = document.getElementById('root');
if (root) {
  await enter();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

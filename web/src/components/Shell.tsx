// SPDX-License-Identifier: Apache-2.0
// The frame around each page: where one can go, what is looked at, is it live.
import type { ReactNode } from 'react';
import { Button, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import { dismissAlert, useLive } from '../api/events';
import type { Status } from '../api/types';
import type { Resource } from '../api/useResource';
import { duration } from '../lib/format';
import { setParams, useLocation } from '../lib/router';
import { type Theme, useTheme } from '../lib/theme';
import { useNow } from '../lib/useNow';
import { Link } from './bits';
import { NamespacePicker } from './NamespacePicker';

const pages = [
  { path: '/map', name: 'Map' },
  { path: '/findings', name: 'Findings', count: 'findings' },
  { path: '/policies', name: 'Policies', count: 'policies' },
  { path: '/recommendations', name: 'Recommendations', count: 'recommendations' },
  { path: '/coverage', name: 'Coverage' },
] as const;

const windows = [
  { id: 'all', name: 'All that is kept' },
  { id: '-5m', name: 'Last 5 minutes' },
  { id: '-1h', name: 'Last hour' },
  { id: '-24h', name: 'Last 24 hours' },
  { id: '-7d', name: 'Last 7 days' },
];

function WindowPicker() {
  const { params } = useLocation();
  const from = params.get('from') ?? 'all';
  const known = windows.some((w) => w.id === from)
    ? windows
    : [...windows, { id: from, name: `Since ${from}` }];
  return (
    <Select
      className="select"
      aria-label="Time looked at"
      selectedKey={from}
      onSelectionChange={(key) =>
        setParams({ from: key === 'all' ? undefined : String(key), to: undefined })
      }
    >
      <Button className="button small">
        <SelectValue /> <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={known}>
          {(w) => (
            <ListBoxItem id={w.id} className="option">
              {w.name}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}

function Pulse({ status }: { status: Resource<Status> }) {
  const live = useLive();
  const now = useNow(2000);
  if (status.data?.mode === 'files') {
    return (
      <span className="pulse" data-state="files" data-testid="pulse">
        From files
      </span>
    );
  }
  const lost = live.lostSince !== undefined || status.stale;
  const text = lost
    ? `Stale: no news for ${duration((now - (live.lostSince ?? now)) / 1000)}`
    : live.connected
      ? 'Live'
      : 'Connecting';
  return (
    <span
      className="pulse"
      data-state={lost ? 'lost' : live.connected ? 'live' : 'wait'}
      role="status"
      data-testid="pulse"
    >
      <i aria-hidden="true" /> {text}
    </span>
  );
}

const next: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const themeWords: Record<Theme, string> = { system: '◐', light: '☀', dark: '☾' };

function ThemeButton() {
  const { theme, setTheme } = useTheme();
  return (
    <Button
      className="button small icon"
      onPress={() => setTheme(next[theme])}
      aria-label={`Theme: ${theme}. Change to ${next[theme]}`}
    >
      {themeWords[theme]}
    </Button>
  );
}

function Alerts() {
  const { alerts } = useLive();
  const { params } = useLocation();
  const looking = params.get('edge');
  const news = alerts.filter((a) => !a.edge || a.edge !== looking).slice(0, 3);
  return (
    <section className="toasts" aria-label="New alerts" aria-live="polite">
      {news.map((finding) => (
        <div key={finding.id} className="toast" data-testid="toast">
          <b aria-hidden="true">!</b>
          <div>
            <div className="toast-title">{finding.title}</div>
            {finding.edge ? (
              <Link to="/map" change={{ edge: finding.edge }}>
                Evidence
              </Link>
            ) : (
              <Link to="/findings">Findings</Link>
            )}
          </div>
          <Button
            className="button small icon"
            aria-label="Dismiss"
            onPress={() => dismissAlert(finding.id)}
          >
            ✕
          </Button>
        </div>
      ))}
    </section>
  );
}

export function Shell({ status, children }: { status: Resource<Status>; children: ReactNode }) {
  const { path } = useLocation();
  const totals = status.data?.totals;
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="top">
        <Link to="/map" className="brand">
          <img src="/mark.svg" alt="" width="26" height="26" />
          <span>Netcinch</span>
        </Link>
        <nav aria-label="Pages">
          {pages.map((p) => (
            <Link
              key={p.path}
              to={p.path}
              current={path === p.path || (path === '/' && p.path === '/map')}
            >
              {p.name}
              {'count' in p && totals && totals[p.count] > 0 && (
                <span className="nav-count">{totals[p.count]}</span>
              )}
            </Link>
          ))}
        </nav>
        <div className="top-aside">
          <Pulse status={status} />
          {status.data?.learning.active && status.data.learning.until && (
            <span
              className="chip"
              data-ready="learning"
              title="New connections still join the baseline; after that they are held as unseen"
            >
              <b aria-hidden="true">◔</b> Learning, {left(status.data)} left
            </span>
          )}
          {status.data && (
            <span className="cluster" title="Cluster">
              {status.data.cluster}
            </span>
          )}
          <NamespacePicker />
          <WindowPicker />
          <ThemeButton />
        </div>
      </header>
      {status.data?.failure && (
        <p className="banner" role="alert">
          The last computation failed, so this is older than it should be: {status.data.failure}
        </p>
      )}
      <main id="main" tabIndex={-1}>
        {status.error && !status.data ? null : children}
        {status.error && !status.data && (
          <Down message={status.error.message} retry={status.reload} />
        )}
      </main>
      <Alerts />
    </div>
  );
}

const left = (s: Status) =>
  duration((Date.parse(s.learning.until ?? s.now) - Date.parse(s.now)) / 1000);

function Down({ message, retry }: { message: string; retry: () => void }) {
  return (
    <div className="state" role="alert" data-testid="error">
      <div className="state-icon" data-bad="true" aria-hidden="true">
        !
      </div>
      <h2>The recommender does not answer</h2>
      <p className="state-text">{message}</p>
      <Button className="button" onPress={retry}>
        Try again
      </Button>
    </div>
  );
}

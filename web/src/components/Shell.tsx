// SPDX-License-Identifier: Apache-2.0
// The frame around each page: where one can go, what is looked at, is it live.
import type { ReactNode } from 'react';
import {
  Button,
  Dialog,
  DialogTrigger,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  SelectValue,
} from 'react-aria-components';
import { dismissAlert, useLive } from '../api/events';
import type { Status } from '../api/types';
import type { Resource } from '../api/useResource';
import { duration, short } from '../lib/format';
import { belowOf, placeOf, places } from '../lib/places';
import { setParams, useLocation } from '../lib/router';
import { type Theme, useTheme } from '../lib/theme';
import { useNow } from '../lib/useNow';
import { setZone, useZone, zoneName } from '../lib/zone';
import { Link } from './bits';
import { NamespacePicker } from './NamespacePicker';
import { Failed } from './State';
import { TimePicker } from './TimePicker';

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

const themes: { id: Theme; name: string }[] = [
  { id: 'system', name: 'As the system' },
  { id: 'light', name: 'Light' },
  { id: 'dark', name: 'Dark' },
];

function Settings() {
  const { theme, setTheme } = useTheme();
  const z = useZone();
  const local = zoneName('local');
  return (
    <DialogTrigger>
      <Button className="button small icon" aria-label="Settings: colours and time zone">
        <span aria-hidden="true">⚙</span>
      </Button>
      <Popover className="popover">
        <Dialog className="settings" aria-label="Settings">
          <fieldset>
            <legend>Colours</legend>
            {themes.map((t) => (
              <label key={t.id}>
                <input
                  type="radio"
                  name="theme"
                  checked={theme === t.id}
                  onChange={() => setTheme(t.id)}
                />{' '}
                {t.name}
              </label>
            ))}
          </fieldset>
          <fieldset>
            <legend>Times</legend>
            {(['local', 'utc'] as const).map((id) => (
              <label key={id}>
                <input type="radio" name="zone" checked={z === id} onChange={() => setZone(id)} />{' '}
                {id === 'utc' ? 'UTC' : `Here (${local})`}
              </label>
            ))}
          </fieldset>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function ClusterPicker({ status }: { status: Status }) {
  const { params } = useLocation();
  const names = status.clusters ?? [];
  if (names.length < 2) {
    return (
      <span className="cluster" title="Cluster">
        {status.cluster}
      </span>
    );
  }
  return (
    <Select
      className="select"
      aria-label="Cluster"
      selectedKey={params.get('cluster') ?? status.cluster}
      onSelectionChange={(key) =>
        setParams({ cluster: key === names[0] ? undefined : String(key), namespace: undefined })
      }
    >
      <Button className="button small">
        <SelectValue /> <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={names.map((id) => ({ id }))}>
          {(n) => (
            <ListBoxItem id={n.id} className="option">
              {n.id}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}

function Toasts() {
  const { alerts } = useLive();
  const { path, params } = useLocation();
  const looking = params.get('edge');
  const news = alerts
    .filter((a) => belowOf(path) !== a.id && (!a.edge || a.edge !== looking))
    .slice(0, 3);
  return (
    <section className="toasts" aria-label="New alerts" aria-live="polite">
      {news.map((alert) => (
        <div key={alert.id} className="toast" data-testid="toast">
          <b aria-hidden="true">!</b>
          <div>
            <div className="toast-title">{alert.title}</div>
            <div className="actions">
              <Link to={`/alerts/${alert.id}`}>The alert</Link>
              {alert.edge && (
                <Link to="/map" change={{ edge: alert.edge }}>
                  Evidence
                </Link>
              )}
            </div>
          </div>
          <Button
            className="button small icon"
            aria-label="Dismiss"
            onPress={() => dismissAlert(alert.id)}
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
          {places.map((p) => (
            <Link key={p.path} to={p.path} current={placeOf(path) === p.path}>
              {p.name}
              {'count' in p && totals && totals[p.count] > 0 && (
                <span className="nav-count">{short(totals[p.count])}</span>
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
              <b aria-hidden="true">◔</b> <span className="wide">Learning, </span>
              {left(status.data)} left
            </span>
          )}
          {status.data && <ClusterPicker status={status.data} />}
          <NamespacePicker />
          <TimePicker status={status.data} />
          <Settings />
        </div>
      </header>
      {status.data?.failure && (
        <p className="banner" role="alert">
          The last computation failed, so this is older than it should be: {status.data.failure}
        </p>
      )}
      <main id="main" tabIndex={-1}>
        {status.error && !status.data ? (
          <Failed error={status.error} retry={status.reload} />
        ) : (
          children
        )}
      </main>
      <Toasts />
    </div>
  );
}

const left = (s: Status) =>
  duration((Date.parse(s.learning.until ?? s.now) - Date.parse(s.now)) / 1000);

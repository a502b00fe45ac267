// SPDX-License-Identifier: Apache-2.0
// What deserves somebody's attention, grouped, with what was decided about it.
import { type ReactNode, useEffect } from 'react';
import { ToggleButton } from 'react-aria-components';
import { useLive } from '../../api/events';
import type { Alert, AlertKind, AlertList, Status } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link } from '../../components/bits';
import { More, Search, useLatest, useShown } from '../../components/More';
import { NextSteps } from '../../components/NextSteps';
import { Empty, Loaded } from '../../components/State';
import { count } from '../../lib/format';
import { groupBy } from '../../lib/groupBy';
import { belowOf } from '../../lib/places';
import { setParams, useLocation, useScope } from '../../lib/router';
import { Detail } from './Detail';
import { Silences, Trail } from './Records';
import { Sinks, Undelivered } from './Sinks';
import { kindOf, kinds, statuses } from './words';

const tabs = [
  { id: 'firing', name: 'Open' },
  { id: 'silenced', name: 'Silenced' },
  { id: 'rejected', name: 'Rejected' },
  { id: 'accepted', name: 'Accepted' },
  { id: 'resolved', name: 'No longer seen' },
  { id: 'all', name: 'All' },
  { id: 'silences', name: 'Silences' },
  { id: 'trail', name: 'Audit trail' },
  { id: 'sinks', name: 'Where told' },
] as const;

type Tab = (typeof tabs)[number]['id'];

/** The tabs that are no list of alerts. */
const records: Partial<Record<Tab, () => ReactNode>> = {
  silences: () => <Silences />,
  trail: () => <Trail />,
  sinks: () => <Sinks />,
};

function Tabs({ tab }: { tab: Tab }) {
  return (
    <nav className="filters" aria-label="Which alerts">
      {tabs.map((t) => (
        <Link
          key={t.id}
          to="/alerts"
          change={{ show: t.id === 'firing' ? undefined : t.id }}
          className="filter small"
          current={t.id === tab}
        >
          {t.name}
        </Link>
      ))}
    </nav>
  );
}

function Item({ alert, current }: { alert: Alert; current: boolean }) {
  const kind = kindOf(alert.kind);
  return (
    <li>
      <Link
        to={`/alerts/${alert.id}`}
        keep={['show', 'kind', 'q']}
        className="item alert-item"
        current={current}
        testId={`alert-${alert.kind}`}
      >
        <span className="finding-sign" data-tone={kind.tone} aria-hidden="true">
          {kind.sign}
        </span>
        <span>
          <span className="item-title">{alert.title}</span>
          <span className="item-chips">
            <span className="chip" data-severity={alert.severity}>
              {alert.severity}
            </span>
            {alert.status !== 'firing' && (
              <span className="chip">{statuses[alert.status].name}</span>
            )}
            {alert.held && <span className="chip">held back</span>}
            <span className="item-detail">
              <Age time={alert.lastSeen} />
            </span>
          </span>
        </span>
      </Link>
    </li>
  );
}

function Kinds({ counts, chosen }: { counts: AlertList['counts']; chosen: string | undefined }) {
  const there = (Object.keys(kinds) as AlertKind[]).filter((k) => counts[k] || k === chosen);
  if (there.length < 2) return null;
  return (
    <section className="filters" aria-label="Kinds of alert">
      {there.map((k) => (
        <ToggleButton
          key={k}
          className="filter small"
          isSelected={chosen === k}
          onChange={(on) => setParams({ kind: on ? k : undefined })}
        >
          <b aria-hidden="true">{kinds[k].sign}</b> {kinds[k].name}{' '}
          <span>{count(counts[k] ?? 0)}</span>
        </ToggleButton>
      ))}
    </section>
  );
}

function Quiet({ tab, status }: { tab: Tab; status: Status | undefined }) {
  if (status && status.totals.edges === 0) {
    return (
      <Empty title="Nothing was seen yet">
        <p>Alerts tell what is new once it is known what is usual. This is what happens next:</p>
        <NextSteps status={status} />
      </Empty>
    );
  }
  if (tab !== 'firing') {
    return (
      <Empty title="No alert stands so">
        <p>Choose others at the left.</p>
      </Empty>
    );
  }
  return (
    <Empty title="Nothing needs you" icon="✓">
      <p>
        {status?.learning.active
          ? 'What is usual is still being learnt. After that, what is new is told here.'
          : 'No connection is new or risky. When one is, it appears here by itself, and where alerts are sent to.'}
      </p>
    </Empty>
  );
}

function Split({ tab, aside, children }: { tab: Tab; aside?: ReactNode; children: ReactNode }) {
  return (
    <div className="split">
      <nav className="list" aria-label="Alerts">
        <h1>Alerts</h1>
        <Tabs tab={tab} />
        {aside}
      </nav>
      {children}
    </div>
  );
}

function Listed({ tab, status }: { tab: Tab; status: Status | undefined }) {
  const { path, params } = useLocation();
  const scope = useScope();
  const wanted = params.get('kind') ?? '';
  const kind = wanted in kinds ? wanted : undefined; // of a newer version: all
  const asked = {
    ...scope,
    kind,
    status: tab === 'all' ? undefined : tab,
    q: params.get('q') ?? undefined,
  };
  const key = JSON.stringify({ ...asked, q: '' });
  const { shown, more } = useShown(JSON.stringify(asked));
  const alerts = useLatest(
    useResource<AlertList>('alerts', { ...asked, limit: String(shown) }),
    key,
  );
  const id = belowOf(path);
  const { decided } = useLive();
  // biome-ignore lint/correctness/useExhaustiveDependencies: an alert that changed asks for a fetch
  useEffect(() => alerts.reload(), [decided]);
  return (
    <Loaded from={alerts} what="alerts">
      {(list) => {
        const chosen = id || list.items[0]?.id;
        return (
          <Split
            tab={tab}
            aside={
              <>
                <Undelivered status={status} />
                <p className="quiet">
                  {count(list.toldToday)} of at most {count(list.budget)} told today
                </p>
                <Search
                  label="Search alerts"
                  value={params.get('q') ?? ''}
                  change={(q) => setParams({ q }, true)}
                />
                <Kinds counts={list.counts} chosen={kind} />
                {[...groupBy(list.items, (a) => a.kind)].map(([k, some]) => (
                  <section key={k}>
                    <h2 className="list-group">
                      {kindOf(k).name} <span>{count(some.length)}</span>
                    </h2>
                    <ul>
                      {some.map((a) => (
                        <Item key={a.id} alert={a} current={a.id === chosen} />
                      ))}
                    </ul>
                  </section>
                ))}
                <More shown={list.items.length} total={list.total} more={more} what="alerts" />
              </>
            }
          >
            {chosen ? (
              <Detail key={chosen} id={chosen} done={alerts.reload} />
            ) : (
              <Quiet tab={tab} status={status} />
            )}
          </Split>
        );
      }}
    </Loaded>
  );
}

export function Alerts({ status }: { status: Status | undefined }) {
  const { params } = useLocation();
  const tab = tabs.find((t) => t.id === params.get('show'))?.id ?? 'firing';
  const record = records[tab];
  if (record) {
    return (
      <Split tab={tab}>
        <div className="detail">{record()}</div>
      </Split>
    );
  }
  return <Listed tab={tab} status={status} />;
}

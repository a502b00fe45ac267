// SPDX-License-Identifier: Apache-2.0
import { ToggleButton } from 'react-aria-components';
import type { Finding, FindingList, Status } from '../api/types';
import { useResource } from '../api/useResource';
import { Age, Link, PageHead } from '../components/bits';
import { More, Search, useLatest, useShown } from '../components/More';
import { NextSteps } from '../components/NextSteps';
import { Empty, Loaded } from '../components/State';
import { count, plural, refText } from '../lib/format';
import { setParams, useLocation, useScope } from '../lib/router';

type Kind = Finding['kind'];

const kinds: Record<Kind, { name: string; sign: string; tone: string }> = {
  unseen: { name: 'Unseen before', sign: '!', tone: 'unseen' },
  risky: { name: 'Risky', sign: '▲', tone: 'unseen' },
  denied: { name: 'Denied', sign: '✕', tone: 'denied' },
  unused: { name: 'Unused', sign: '◌', tone: 'unused' },
  'partly-used': { name: 'Wider than used', sign: '◐', tone: 'partly' },
  redundant: { name: 'Redundant', sign: '≡', tone: 'unused' },
  'selects-nothing': { name: 'Selects nothing', sign: '∅', tone: 'unused' },
  shadowed: { name: 'Never asked', sign: '⊘', tone: 'unused' },
  'ambiguous-order': { name: 'Order undefined', sign: '?', tone: 'denied' },
  'not-understood': { name: 'Not understood', sign: '¿', tone: 'denied' },
  conflict: { name: 'Ends disagree', sign: '≠', tone: 'denied' },
};

function Actions({ finding }: { finding: Finding }) {
  return (
    <div className="actions">
      {finding.edge && (
        <Link to="/map" change={{ edge: finding.edge }} className="button small">
          Evidence on the map
        </Link>
      )}
      {finding.policy && (
        <Link to="/policies" change={{ policy: refText(finding.policy) }} className="button small">
          Manifest{finding.line ? `, line ${finding.line}` : ''}
        </Link>
      )}
      {finding.recommendation && (
        <Link
          to="/recommendations"
          change={{ id: finding.recommendation }}
          className="button small primary"
        >
          Tightened manifest
        </Link>
      )}
    </div>
  );
}

function Card({ finding }: { finding: Finding }) {
  const kind = kinds[finding.kind];
  return (
    <li className="finding" data-tone={kind.tone} data-testid={`finding-${finding.kind}`}>
      <div className="finding-sign" aria-hidden="true">
        {kind.sign}
      </div>
      <div className="finding-body">
        <h3>{finding.title}</h3>
        <div className="finding-meta">
          <span className="chip" data-severity={finding.severity}>
            {finding.severity}
          </span>
          <span>{kind.name}</span>
          {finding.namespace && <span>{finding.namespace}</span>}
          {finding.lastSeen && (
            <span>
              last seen <Age time={finding.lastSeen} />
            </span>
          )}
        </div>
        <ul className="evidence">
          {finding.evidence.map((text) => (
            <li key={text}>{text}</li>
          ))}
          {!finding.ready &&
            finding.reservations.map((text) => (
              <li key={text} className="reservation">
                Not yet sure: {text}
              </li>
            ))}
        </ul>
      </div>
      <Actions finding={finding} />
    </li>
  );
}

function Kinds({ counts, chosen }: { counts: FindingList['counts']; chosen: string }) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  return (
    <section className="filters" aria-label="Kinds of finding">
      <ToggleButton
        className="filter"
        isSelected={!chosen}
        onChange={() => setParams({ kind: undefined })}
      >
        All <span>{count(all)}</span>
      </ToggleButton>
      {(Object.keys(kinds) as Kind[])
        .filter((kind) => counts[kind] || kind === chosen)
        .map((kind) => (
          <ToggleButton
            key={kind}
            className="filter"
            isSelected={chosen === kind}
            onChange={(on) => setParams({ kind: on ? kind : undefined })}
          >
            <b aria-hidden="true">{kinds[kind].sign}</b> {kinds[kind].name}{' '}
            <span>{count(counts[kind] ?? 0)}</span>
          </ToggleButton>
        ))}
    </section>
  );
}

function Nothing({ status }: { status: Status | undefined }) {
  if (status && status.totals.edges === 0) {
    return (
      <Empty title="Nothing was seen yet">
        <p>Findings come from traffic. This is what happens next:</p>
        <NextSteps status={status} />
      </Empty>
    );
  }
  return (
    <Empty title="Nothing stands out" icon="✓">
      <p>
        No allowance is unused, and no connection is new, denied or risky in the time looked at. New
        findings appear here by themselves.
      </p>
    </Empty>
  );
}

function List({
  list,
  more,
  status,
}: {
  list: FindingList;
  more: () => void;
  status: Status | undefined;
}) {
  const { params } = useLocation();
  const chosen = params.get('kind') ?? '';
  const all = Object.values(list.counts).reduce((sum, n) => sum + n, 0);
  const filtered = Boolean(chosen || params.get('q'));
  return (
    <div className="page">
      <PageHead
        title="Findings"
        aside={
          (all > 0 || filtered) && (
            <Search
              label="Search findings"
              value={params.get('q') ?? ''}
              change={(q) => setParams({ q }, true)}
            />
          )
        }
      >
        {all === 0 ? 'Nothing stands out.' : `${plural(all, 'finding')}. The most severe first.`}
      </PageHead>
      {all === 0 && !filtered ? (
        <Nothing status={status} />
      ) : (
        <>
          <Kinds counts={list.counts} chosen={chosen} />
          {list.items.length === 0 && (
            <Empty title="No finding is like that">
              <p>Choose another kind, or search for something else.</p>
            </Empty>
          )}
          <ul className="findings">
            {list.items.map((f) => (
              <Card key={f.id} finding={f} />
            ))}
          </ul>
          <More shown={list.items.length} total={list.total} more={more} what="findings" />
        </>
      )}
    </div>
  );
}

export function Findings({ status }: { status: Status | undefined }) {
  const scope = useScope();
  const { params } = useLocation();
  const wanted = params.get('kind') ?? '';
  const kind = wanted in kinds ? wanted : undefined; // of a newer or older version: all
  const asked = { ...scope, kind, q: params.get('q') ?? undefined };
  const key = JSON.stringify({ ...scope, kind });
  const { shown, more } = useShown(JSON.stringify(asked));
  const findings = useLatest(
    useResource<FindingList>('findings', { ...asked, limit: String(shown) }),
    key,
  );
  return (
    <Loaded from={findings} what="findings">
      {(list) => <List list={list} more={more} status={status} />}
    </Loaded>
  );
}

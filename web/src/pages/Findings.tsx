// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import { ToggleButton } from 'react-aria-components';
import type { Finding, FindingList } from '../api/types';
import { useResource } from '../api/useResource';
import { Age, Link, PageHead } from '../components/bits';
import { Empty, Loaded } from '../components/State';
import { plural, refText } from '../lib/format';
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

function Kinds({ items, chosen }: { items: Finding[]; chosen: string | null }) {
  const counts = new Map<Kind, number>();
  for (const f of items) counts.set(f.kind, (counts.get(f.kind) ?? 0) + 1);
  return (
    <section className="filters" aria-label="Kinds of finding">
      <ToggleButton
        className="filter"
        isSelected={!chosen}
        onChange={() => setParams({ kind: undefined })}
      >
        All <span>{items.length}</span>
      </ToggleButton>
      {[...counts].map(([kind, many]) => (
        <ToggleButton
          key={kind}
          className="filter"
          isSelected={chosen === kind}
          onChange={(on) => setParams({ kind: on ? kind : undefined })}
        >
          <b aria-hidden="true">{kinds[kind].sign}</b> {kinds[kind].name} <span>{many}</span>
        </ToggleButton>
      ))}
    </section>
  );
}

function List({ list }: { list: FindingList }) {
  const { params } = useLocation();
  const chosen = params.get('kind');
  const shown = useMemo(
    () => list.items.filter((f) => !chosen || f.kind === chosen),
    [list, chosen],
  );
  const urgent = list.items.filter((f) => f.severity === 'high').length;
  return (
    <div className="page">
      <PageHead title="Findings">
        {list.items.length === 0
          ? 'Nothing stands out.'
          : `${plural(list.items.length, 'finding')}${urgent ? `, ${urgent} of high severity` : ''}. The most severe first.`}
      </PageHead>
      {list.items.length === 0 ? (
        <Empty title="Nothing stands out" icon="✓">
          <p>
            No allowance is unused, and no connection is new, denied or risky in the time looked at.
            New findings appear here by themselves.
          </p>
        </Empty>
      ) : (
        <>
          <Kinds items={list.items} chosen={chosen} />
          <ul className="findings">
            {shown.map((f) => (
              <Card key={f.id} finding={f} />
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

export function Findings() {
  const findings = useResource<FindingList>('findings', useScope());
  return (
    <Loaded from={findings} what="findings">
      {(list) => <List list={list} />}
    </Loaded>
  );
}

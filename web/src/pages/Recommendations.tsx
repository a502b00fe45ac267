// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import { address } from '../api/client';
import type { Recommendation, RecommendationList } from '../api/types';
import { useResource } from '../api/useResource';
import { Link, ReadyChip } from '../components/bits';
import { Empty, Loaded } from '../components/State';
import { plural, refText } from '../lib/format';
import { groupBy } from '../lib/groupBy';
import { useLocation, useScope } from '../lib/router';
import { Detail } from './RecommendationDetail';

const offered = (r: Recommendation) => !r.withheld;

function Item({ item, current }: { item: Recommendation; current: boolean }) {
  const state = item.readiness[0]?.state;
  return (
    <li>
      <Link
        to="/recommendations"
        change={{ id: item.id }}
        className="item"
        current={current}
        testId={`recommendation-${item.policy.name}`}
      >
        <span className="item-title">
          <b>{item.policy.name}</b>
        </span>
        <span className="item-detail">
          {offered(item)
            ? {
                new: 'New policy',
                tighten: `Tighten · ${plural(item.changes.length, 'change')}`,
                none: '',
              }[item.kind]
            : 'Withheld'}
        </span>
        <span className="item-chips">
          {offered(item) && item.proof.holds && (
            <span className="chip" data-proof="true">
              <b aria-hidden="true">✓</b> Proved
            </span>
          )}
          {offered(item) && state && <ReadyChip state={item.ready ? 'ready' : state} />}
        </span>
      </Link>
    </li>
  );
}

function Group({
  name,
  items,
  chosen,
}: {
  name: string;
  items: Recommendation[];
  chosen: Recommendation | undefined;
}) {
  const many = items.filter(offered).length;
  return (
    <section>
      <h2 className="list-group">
        {name || 'Cluster-wide'}
        {many > 0 && name && (
          <a
            href={address('recommendations/download', { namespace: name })}
            download
            className="button tiny"
            aria-label={`Download all of ${name}`}
          >
            ↓ {many}
          </a>
        )}
      </h2>
      <ul>
        {items.map((r) => (
          <Item key={r.id} item={r} current={r === chosen} />
        ))}
      </ul>
    </section>
  );
}

function Waiting() {
  return (
    <div className="page">
      <Empty title="No recommendation yet">
        <p>
          A workload gets its first recommendation once traffic of it was seen. Each one says how
          far it can be trusted and carries its proof.
        </p>
        <p>
          <Link to="/coverage">Coverage</Link> says which nodes report.
        </p>
      </Empty>
    </div>
  );
}

function find(
  list: RecommendationList,
  id: string | null,
  policy: string | null,
): Recommendation | undefined {
  const byPolicy = policy ? list.items.find((r) => refText(r.policy) === policy) : undefined;
  return (
    list.items.find((r) => r.id === id) ?? byPolicy ?? list.items.find(offered) ?? list.items[0]
  );
}

function Pages({ list }: { list: RecommendationList }) {
  const { params } = useLocation();
  const scope = useScope();
  const chosen = find(list, params.get('id'), params.get('policy'));
  const groups = useMemo(() => {
    const rank = (r: Recommendation) => (offered(r) ? (r.kind === 'tighten' ? 0 : 1) : 2);
    return [
      ...groupBy(
        list.items.toSorted((a, b) => rank(a) - rank(b)),
        (r) => r.namespace ?? '',
      ),
    ].sort(([a], [b]) => a.localeCompare(b));
  }, [list]);
  if (!chosen) return <Waiting />;
  const many = list.items.filter(offered).length;
  return (
    <div className="split">
      <nav className="list" aria-label="Recommendations">
        <h1>
          Recommendations <span className="quiet">{many}</span>
        </h1>
        {many > 0 && (
          <a
            href={address('recommendations/download', {
              namespace: scope.namespace,
              from: scope.from,
              to: scope.to,
            })}
            download
            className="button"
            data-testid="download-all"
          >
            ↓ Download all {many} as YAML
          </a>
        )}
        {groups.map(([name, items]) => (
          <Group key={name} name={name} items={items} chosen={chosen} />
        ))}
      </nav>
      <Detail key={chosen.id} item={chosen} />
    </div>
  );
}

export function Recommendations() {
  const list = useResource<RecommendationList>('recommendations', useScope());
  return (
    <Loaded from={list} what="recommendations">
      {(data) => <Pages list={data} />}
    </Loaded>
  );
}

// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import { ToggleButton } from 'react-aria-components';
import type { Policy, PolicyList, RecommendationList } from '../api/types';
import { useResource } from '../api/useResource';
import { Link } from '../components/bits';
import { More, Search, useShown } from '../components/More';
import { Empty, Loaded } from '../components/State';
import { count, plural, refText } from '../lib/format';
import { setParams, useLocation, useScope } from '../lib/router';
import { Manifest, usageWords } from './Manifest';
import { Reach } from './Reach';

function Bar({ usage }: { usage: Policy['usage'] }) {
  const parts = (['used', 'partlyUsed', 'redundant', 'unused'] as const).filter(
    (k) => usage[k] > 0,
  );
  const words = {
    used: 'used',
    partlyUsed: 'partly used',
    redundant: 'redundant',
    unused: 'unused',
  };
  const text = parts.map((k) => `${usage[k]} ${words[k]}`).join(', ') || 'no allowance';
  return (
    <span className="usage" title={text}>
      <span className="usage-bar" aria-hidden="true">
        {parts.map((k) => (
          <span key={k} data-usage={k} style={{ flexGrow: usage[k] }} />
        ))}
      </span>
      <span className="usage-text">{text}</span>
    </span>
  );
}

function Item({ policy, current }: { policy: Policy; current: boolean }) {
  return (
    <li>
      <Link
        to="/policies"
        change={{ policy: policy.id }}
        keep={['q', 'only']}
        className="item"
        current={current}
        testId={`policy-${policy.ref.name}`}
      >
        <span className="item-title">
          {policy.ref.namespace ? `${policy.ref.namespace}/` : ''}
          <b>{policy.ref.name}</b>
        </span>
        <span className="item-detail">
          {policy.ref.apiVersion.includes('calico') ? `Calico ${policy.ref.kind}` : policy.ref.kind}
        </span>
        {policy.selects.length === 0 ? (
          <span className="item-chips">
            <span className="chip" data-state="denied">
              <b aria-hidden="true">∅</b> Selects nothing
            </span>
          </span>
        ) : (
          <Bar usage={policy.usage} />
        )}
      </Link>
    </li>
  );
}

function Selects({ policy }: { policy: Policy }) {
  if (policy.selects.length === 0) {
    return (
      <span className="callout" data-state="denied">
        Selects nothing: no pod has these labels.
      </span>
    );
  }
  return (
    <>
      Selects {policy.selects.slice(0, 8).join(', ')}
      {policy.selects.length > 8 && ` and ${policy.selects.length - 8} more`}. {usageWords(policy)}
    </>
  );
}

function Body({ policy }: { policy: Policy }) {
  const scope = useScope();
  const { params } = useLocation();
  const advice = useResource<RecommendationList>(
    policy.recommendation ? 'recommendations' : undefined,
    { cluster: scope.cluster, from: scope.from, to: scope.to, id: policy.recommendation },
  );
  const suggestion = advice.data?.items[0];
  const marked = params.get('marks') !== 'use';
  return (
    <article className="detail" data-testid="policy">
      <header className="detail-head">
        <div>
          <h2>{refText(policy.ref)}</h2>
          <p className="quiet">
            {policy.file && (
              <code>
                {policy.file}
                {policy.line && policy.line > 1 ? `:${policy.line}` : ''}
              </code>
            )}
          </p>
        </div>
        {policy.recommendation && (
          <div className="actions">
            <ToggleButton
              className="filter"
              isSelected={marked}
              onChange={(on) => setParams({ marks: on ? undefined : 'use' })}
            >
              Suggested narrowing in place
            </ToggleButton>
            <Link
              to="/recommendations"
              change={{ id: policy.recommendation }}
              className="button primary"
            >
              See the tightened manifest
            </Link>
          </div>
        )}
      </header>
      <p>
        <Selects policy={policy} />
      </p>
      <Manifest policy={policy} suggestion={marked ? suggestion : undefined} />
      <Reach policy={policy} />
    </article>
  );
}

function Detail({ id }: { id: string }) {
  const { cluster, from, to } = useScope();
  const one = useResource<PolicyList>('policies', { cluster, from, to, id });
  return (
    <Loaded from={one} what="the policy">
      {({ items }) => (items[0] ? <Body policy={items[0]} /> : <Gone />)}
    </Loaded>
  );
}

const Gone = () => (
  <Empty title="This policy is gone">
    <p>It was there when this page was opened. Choose another one.</p>
  </Empty>
);

const looks: Record<string, (p: Policy) => boolean> = {
  unused: (p) => p.usage.unused > 0,
  wide: (p) => p.usage.partlyUsed > 0,
  nothing: (p) => p.selects.length === 0,
};

function Filters({ list, only }: { list: PolicyList; only: string }) {
  const names = { unused: 'Unused parts', wide: 'Wider than used', nothing: 'Selects nothing' };
  return (
    <section className="filters" aria-label="Which policies">
      {Object.entries(names).map(([key, name]) => {
        const many = list.items.filter((p) => looks[key]?.(p)).length;
        return many > 0 || only === key ? (
          <ToggleButton
            key={key}
            className="filter small"
            isSelected={only === key}
            onChange={(on) => setParams({ only: on ? key : undefined }, true)}
          >
            {name} <span>{many}</span>
          </ToggleButton>
        ) : null;
      })}
    </section>
  );
}

function Pages({ list }: { list: PolicyList }) {
  const { params } = useLocation();
  const wanted = params.get('policy');
  const text = params.get('q') ?? '';
  const only = params.get('only') ?? '';
  const { shown, more } = useShown(`${text} ${only}`);
  const items = useMemo(
    () =>
      list.items.filter(
        (p) =>
          (looks[only]?.(p) ?? true) &&
          [refText(p.ref), ...p.selects].some((t) => t.toLowerCase().includes(text.toLowerCase())),
      ),
    [list, text, only],
  );
  // Earlier versions had the policy's name in the address.
  const chosen =
    list.items.find((p) => p.id === wanted || refText(p.ref) === wanted) ??
    items[0] ??
    list.items[0];
  if (!chosen) {
    return (
      <div className="page">
        <Empty title="No policy is in force">
          <p>
            Nothing isolates any pod: everything may talk to everything. The recommendations have a
            first policy for each workload with traffic.
          </p>
          <Link to="/recommendations" className="button primary">
            See recommendations
          </Link>
        </Empty>
      </div>
    );
  }
  const unused = list.items.reduce((n, p) => n + p.usage.unused, 0);
  return (
    <div className="split">
      <nav className="list" aria-label="Policies">
        <h1>
          Policies <span className="quiet">{count(list.items.length)}</span>
        </h1>
        <p className="quiet">{plural(unused, 'allowance')} without any use</p>
        <Search label="Search policies" value={text} change={(q) => setParams({ q }, true)} />
        <Filters list={list} only={only} />
        {items.length === 0 && <p className="quiet">No policy is like that.</p>}
        <ul>
          {items.slice(0, shown).map((p) => (
            <Item key={p.id} policy={p} current={p === chosen} />
          ))}
        </ul>
        <More
          shown={Math.min(shown, items.length)}
          total={items.length}
          more={more}
          what="policies"
        />
      </nav>
      <Detail key={chosen.id} id={chosen.id} />
    </div>
  );
}

export function Policies() {
  const list = useResource<PolicyList>('policies', { ...useScope(), brief: 'true' });
  return (
    <Loaded from={list} what="policies">
      {(data) => <Pages list={data} />}
    </Loaded>
  );
}

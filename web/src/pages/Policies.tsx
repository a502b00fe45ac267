// SPDX-License-Identifier: Apache-2.0
import type { Policy, PolicyList } from '../api/types';
import { useResource } from '../api/useResource';
import { Link } from '../components/bits';
import { Empty, Loaded } from '../components/State';
import { plural, refText } from '../lib/format';
import { useLocation, useScope } from '../lib/router';
import { Manifest, usageWords } from './Manifest';

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
        change={{ policy: refText(policy.ref) }}
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
        <Bar usage={policy.usage} />
      </Link>
    </li>
  );
}

function Detail({ policy }: { policy: Policy }) {
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
          <Link
            to="/recommendations"
            change={{ id: policy.recommendation }}
            className="button primary"
          >
            See the tightened manifest
          </Link>
        )}
      </header>
      <p>
        {policy.selects.length === 0 ? (
          <span className="callout" data-state="denied">
            Selects nothing: no pod has these labels.
          </span>
        ) : (
          <>
            Selects {policy.selects.slice(0, 8).join(', ')}
            {policy.selects.length > 8 && ` and ${policy.selects.length - 8} more`}.{' '}
            {usageWords(policy)}
          </>
        )}
      </p>
      <Manifest policy={policy} />
    </article>
  );
}

function Pages({ list }: { list: PolicyList }) {
  const { params } = useLocation();
  const wanted = params.get('policy');
  const chosen = list.items.find((p) => refText(p.ref) === wanted) ?? list.items[0];
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
  return (
    <div className="split">
      <nav className="list" aria-label="Policies">
        <h1>
          Policies <span className="quiet">{list.items.length}</span>
        </h1>
        <p className="quiet">
          {plural(
            list.items.reduce((n, p) => n + p.usage.unused, 0),
            'allowance',
          )}{' '}
          without any use
        </p>
        <ul>
          {list.items.map((p) => (
            <Item key={p.id} policy={p} current={p === chosen} />
          ))}
        </ul>
      </nav>
      <Detail key={chosen.id} policy={chosen} />
    </div>
  );
}

export function Policies() {
  const list = useResource<PolicyList>('policies', useScope());
  return (
    <Loaded from={list} what="policies">
      {(data) => <Pages list={data} />}
    </Loaded>
  );
}

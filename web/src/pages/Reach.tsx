// SPDX-License-Identifier: Apache-2.0
// Who may talk by a policy: whom it selects, and whom each allowance lets in or
// out, with what of it is used.
import type { Policy, Usage } from '../api/types';
import { Link } from '../components/bits';
import { plural } from '../lib/format';
import { groupBy } from '../lib/groupBy';

interface Other {
  name: string;
  ports: Map<string, boolean>; // by port, whether it is used
}

/** Whom an allowance is for, and whether each of them used it. */
function namesOf(u: Usage): [string, boolean][] {
  if (u.reachAnyone) return [['anyone', u.hits > 0]];
  if (!u.reach?.length) return [[u.peerText, u.hits > 0]]; // addresses, or nobody now
  const used = new Set(u.peers);
  return u.reach.map((name) => [name, used.has(name)]);
}

/** Those at the other end in one direction, with the ports that they may use. */
function others(uses: Usage[]): Other[] {
  const found = new Map<string, Other>();
  for (const u of uses) {
    for (const [name, is] of namesOf(u)) {
      const one = found.get(name) ?? { name, ports: new Map() };
      one.ports.set(u.portText, is || (one.ports.get(u.portText) ?? false));
      found.set(name, one);
    }
  }
  return [...found.values()];
}

const used = (o: Other) => [...o.ports.values()].some(Boolean);

function Direction({ name, uses }: { name: 'Ingress' | 'Egress'; uses: Usage[] }) {
  const list = others(uses).sort((a, b) => Number(used(b)) - Number(used(a)));
  const cut = Math.max(0, ...uses.map((u) => (u.reachTotal ?? 0) - (u.reach?.length ?? 0)));
  const shown = list.slice(0, 40);
  return (
    <div>
      <h4>{name === 'Ingress' ? 'May be reached by' : 'May reach'}</h4>
      <table className="plain-table reach">
        <thead>
          <tr>
            <th>Who</th>
            <th>On</th>
            <th>Used</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((o) => (
            <tr key={o.name} data-used={used(o) || undefined}>
              <td>{o.name}</td>
              <td>
                {[...o.ports].map(([port, is]) => (
                  <code key={port} data-used={is || undefined}>
                    {port}
                  </code>
                ))}
              </td>
              <td>
                {used(o) ? (
                  <span className="good">
                    <b aria-hidden="true">●</b> yes
                  </span>
                ) : (
                  <span className="quiet">
                    <b aria-hidden="true">◌</b> never
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {list.length + cut > shown.length && (
        <p className="quiet">and {list.length + cut - shown.length} more</p>
      )}
    </div>
  );
}

export function Reach({ policy }: { policy: Policy }) {
  const byDirection = groupBy(policy.allowances, (u) => u.allowance.direction);
  const only = policy.selects.length === 1 ? policy.selects[0] : undefined;
  return (
    <section className="card" data-testid="reach">
      <h3>Who may talk by it</h3>
      <p>
        {policy.selects.length === 0 ? (
          'It selects no pod, so it lets nobody in or out.'
        ) : (
          <>
            {only ? <b>{only}</b> : plural(policy.selects.length, 'workload')}
            {byDirection.size === 0 && ' may talk to nobody by it: it only isolates.'}
          </>
        )}
      </p>
      {policy.selects.length > 0 && (
        <div className="reach-sides">
          {[...byDirection].map(([name, uses]) => (
            <Direction key={name} name={name} uses={uses} />
          ))}
        </div>
      )}
      <p>
        <Link to="/what-if" change={{ remove: policy.id }}>
          What if this policy went?
        </Link>
      </p>
    </section>
  );
}

// SPDX-License-Identifier: Apache-2.0
// A manifest with the use of each allowance marked on its line.
import { useEffect, useRef } from 'react';
import type { Policy, Usage } from '../api/types';
import { Age } from '../components/bits';
import { YamlLine } from '../components/Yaml';
import { plural, short } from '../lib/format';
import { groupBy } from '../lib/groupBy';
import { useLocation } from '../lib/router';

const marks: Record<Usage['state'], { sign: string; name: string; rank: number }> = {
  unused: { sign: '◌', name: 'unused', rank: 3 },
  redundant: { sign: '≡', name: 'redundant', rank: 2 },
  'partly-used': { sign: '◐', name: 'partly used', rank: 1 },
  used: { sign: '●', name: 'used', rank: 0 },
  unknown: { sign: '·', name: 'not known', rank: 0 },
};

/** How the allowances of a policy are used, in words. */
export function usageWords({ usage }: Policy): string {
  if (usage.unknown) return 'Nothing was recorded in this time: nobody can say what is used.';
  const all = usage.used + usage.partlyUsed + usage.unused + usage.redundant;
  if (all === 0) return 'It allows nothing.';
  if (usage.unused === all) return 'Nobody used any of what it allows.';
  if (usage.used === all) return 'Everything that it allows is used.';
  return `Of ${plural(all, 'allowance')} ${usage.unused} ${usage.unused === 1 ? 'is' : 'are'} unused and ${usage.partlyUsed} only partly used.`;
}

function Note({ use, chosen }: { use: Usage; chosen: boolean }) {
  const mark = marks[use.state];
  return (
    <li
      className="use"
      data-usage={use.state}
      data-chosen={chosen || undefined}
      data-testid={`usage-${use.state}`}
    >
      <b aria-hidden="true">{mark.sign}</b>
      <span>
        <strong>{mark.name}</strong> {use.portText}{' '}
        {use.allowance.direction === 'Egress' ? 'to' : 'from'} {use.peerText}
        {use.hits > 0 && (
          <span className="quiet">
            {' '}
            · {short(use.hits)} connections, last <Age time={use.lastHit} />
          </span>
        )}
        {use.state === 'partly-used' && use.peers.length > 0 && (
          <span className="use-peers">only {use.peers.slice(0, 5).join(', ')}</span>
        )}
        {use.state === 'redundant' && use.coveredBy.length > 0 && (
          <span className="use-peers">also allowed by {use.coveredBy[0]}</span>
        )}
      </span>
    </li>
  );
}

function worst(uses: Usage[]): Usage['state'] | undefined {
  return uses.toSorted((a, b) => marks[b.state].rank - marks[a.state].rank)[0]?.state;
}

export function Manifest({ policy }: { policy: Policy }) {
  const { params } = useLocation();
  const wanted = params.get('usage');
  const target = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (wanted) target.current?.scrollIntoView?.({ block: 'center' });
  }, [wanted]);
  const byLine = groupBy(policy.allowances, (a) => a.manifestLine);
  const lines = policy.manifest.replace(/\n$/, '').split('\n');
  const loose = byLine.get(0) ?? [];
  return (
    <div className="manifest" data-testid="manifest">
      <div className="manifest-legend" aria-hidden="true">
        {Object.values(marks).map((m) => (
          <span key={m.name} data-usage={m.name.replace(' ', '-')}>
            <b>{m.sign}</b> {m.name}
          </span>
        ))}
      </div>
      <div className="manifest-code">
        {lines.map((text, i) => {
          const uses = byLine.get(i + 1) ?? [];
          const state = worst(uses);
          return (
            <div
              // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
              key={i}
              className="manifest-line"
              data-usage={state}
              ref={uses.some((u) => u.id === wanted) ? target : undefined}
            >
              <div className="code-line">
                <span className="code-number">{(policy.line ?? 1) + i}</span>
                <span className="code-mark">{state ? marks[state].sign : ''}</span>
                <span className="code-text">
                  <YamlLine text={text} />
                </span>
              </div>
              {uses.length > 0 && (
                <ul className="uses">
                  {uses.map((u) => (
                    <Note key={u.id} use={u} chosen={u.id === wanted} />
                  ))}
                </ul>
              )}
            </div>
          );
        })}
      </div>
      {loose.length > 0 && (
        <ul className="uses loose">
          {loose.map((u) => (
            <Note key={u.id} use={u} chosen={u.id === wanted} />
          ))}
        </ul>
      )}
    </div>
  );
}

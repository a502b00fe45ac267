// SPDX-License-Identifier: Apache-2.0
// A manifest with the use of each allowance marked on its line.
import { Fragment, useEffect, useRef } from 'react';
import type { Policy, Recommendation, Usage } from '../api/types';
import { Age } from '../components/bits';
import { YamlLine } from '../components/Yaml';
import { plural, short } from '../lib/format';
import { groupBy } from '../lib/groupBy';
import { readPatch } from '../lib/patch';
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

/** Lines that the suggestion puts in the place of those that go. */
function Suggested({ lines }: { lines: string[] }) {
  return lines.map((text, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
    <div key={i} className="manifest-line" data-suggested="added" data-testid="suggested-added">
      <div className="code-line">
        <span className="code-number" aria-hidden="true" />
        <span className="code-mark">
          <span aria-hidden="true">+</span>
          <span className="hidden">suggested: </span>
        </span>
        <span className="code-text">
          <YamlLine text={text} />
        </span>
      </div>
    </div>
  ));
}

function Legend({ suggestion }: { suggestion: boolean }) {
  return (
    <div className="manifest-legend">
      {Object.values(marks).map((m) => (
        <span key={m.name} data-usage={m.name.replace(' ', '-')}>
          <b aria-hidden="true">{m.sign}</b> {m.name}
        </span>
      ))}
      {suggestion && (
        <>
          <span data-suggested="gone">
            <b aria-hidden="true">−</b> suggested to go
          </span>
          <span data-suggested="added">
            <b aria-hidden="true">+</b> suggested instead
          </span>
        </>
      )}
    </div>
  );
}

function Row({
  policy,
  number,
  text,
  uses,
  gone,
  changes,
  wanted,
}: {
  policy: Policy;
  number: number;
  text: string;
  uses: Usage[];
  gone: boolean;
  changes: string[];
  wanted: string | null;
}) {
  const target = useRef<HTMLDivElement>(null);
  const here = uses.some((u) => u.id === wanted);
  useEffect(() => {
    if (here) target.current?.scrollIntoView?.({ block: 'center' });
  }, [here]);
  const state = worst(uses);
  const notes = (policy.notes ?? []).filter((n) => n.manifestLine === number);
  return (
    <div
      className="manifest-line"
      data-usage={state}
      data-suggested={gone ? 'gone' : undefined}
      data-testid={gone ? 'suggested-gone' : undefined}
      ref={target}
    >
      <div className="code-line">
        <span className="code-number">{(policy.line ?? 1) + number - 1}</span>
        <span className="code-mark">
          {gone ? (
            <>
              <span aria-hidden="true">−</span>
              <span className="hidden">suggested to go: </span>
            </>
          ) : (
            state && marks[state].sign
          )}
        </span>
        <span className="code-text">
          <YamlLine text={text} />
        </span>
      </div>
      {uses.length + notes.length + changes.length > 0 && (
        <ul className="uses">
          {uses.map((u) => (
            <Note key={u.id} use={u} chosen={u.id === wanted} />
          ))}
          {notes.map((n) => (
            <li key={n.finding} className="use" data-note={n.kind} data-testid={`note-${n.kind}`}>
              <b aria-hidden="true">∅</b>
              <span>{n.text}</span>
            </li>
          ))}
          {changes.map((c) => (
            <li key={c} className="use" data-suggestion="true" data-testid="suggestion">
              <b aria-hidden="true">✂</b>
              <span>{c}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

const nothing = { gone: new Set<number>(), after: new Map<number, string[]>() };

export function Manifest({
  policy,
  suggestion,
}: {
  policy: Policy;
  suggestion?: Recommendation | undefined;
}) {
  const { params } = useLocation();
  const wanted = params.get('usage');
  const byLine = groupBy(policy.allowances, (a) => a.manifestLine);
  const lines = policy.manifest.replace(/\n$/, '').split('\n');
  const loose = byLine.get(0) ?? [];
  const first = policy.line ?? 1;
  const patch = suggestion ? readPatch(suggestion.diff, first) : nothing;
  const changes = groupBy(suggestion?.changes ?? [], (c) => (c.line ? c.line - first + 1 : 0));
  const about = (policy.notes ?? []).filter(
    (n) => n.manifestLine < 1 || n.manifestLine > lines.length,
  );
  return (
    <div className="manifest" data-testid="manifest">
      <Legend suggestion={suggestion !== undefined} />
      {about.length > 0 && (
        <ul className="uses loose">
          {about.map((n) => (
            <li key={n.finding} className="use" data-note={n.kind} data-testid={`note-${n.kind}`}>
              <b aria-hidden="true">∅</b>
              <span>{n.text}</span>
            </li>
          ))}
        </ul>
      )}
      <div className="manifest-code">
        <Suggested lines={patch.after.get(0) ?? []} />
        {lines.map((text, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
          <Fragment key={i}>
            <Row
              policy={policy}
              number={i + 1}
              text={text}
              uses={byLine.get(i + 1) ?? []}
              gone={patch.gone.has(i + 1)}
              changes={(changes.get(i + 1) ?? []).map((c) => c.text)}
              wanted={wanted}
            />
            <Suggested lines={patch.after.get(i + 1) ?? []} />
          </Fragment>
        ))}
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

// SPDX-License-Identifier: Apache-2.0
import { lazy, Suspense } from 'react';
import type { Params } from '../api/client';
import type { Recommendation } from '../api/types';
import { Copy, Link, ReadyChip } from '../components/bits';
import { DownloadMenu, downloadOf, kubectl } from '../components/Download';
import { duration, percent, policyId, refText } from '../lib/format';
import { Cuts, Proof } from './Proof';
import { Replayed } from './Replayed';

const Diff = lazy(() => import('../components/Diff').then((m) => ({ default: m.Diff })));

/** How long it was watched, and how likely it is that something new still comes. */
function watched({
  observedSeconds,
  coverage,
  state,
}: Recommendation['readiness'][number]): string {
  const span = `watched for ${duration(observedSeconds)}`;
  if (coverage <= 0) return span;
  const ahead = {
    ready: 'new kinds of connection are unlikely: ',
    stabilising: 'new kinds of connection may still come: ',
    learning: 'new kinds of connection may still come: ',
    silent: '',
  }[state];
  return `${span}; ${ahead}${percent(coverage)} coverage estimated`;
}

function Ready({ item }: { item: Recommendation }) {
  const said = new Set(item.changes.map((c) => c.text));
  const evidence = item.evidence.filter((text) => !said.has(text.replace(/\.$/, '')));
  return (
    <section className="ready">
      <h3>How far to trust it</h3>
      <ul className="plain">
        {item.readiness.map((w) => (
          <li key={w.workload}>
            <p className="ready-line">
              {!item.withheld && <ReadyChip state={w.state} />} <b>{w.workload}</b>
              <span className="quiet">{watched(w)}</span>
            </p>
            {w.reasons.map((text) => (
              <p key={text} className="note">
                {text}
              </p>
            ))}
          </li>
        ))}
      </ul>
      {evidence.length > 0 && (
        <ul className="evidence">
          {evidence.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Actions({ item, params }: { item: Recommendation; params: Params }) {
  const one = { ...params, id: item.id };
  return (
    <div className="actions">
      <div className="joined">
        <a className="button primary" data-testid="download" download href={downloadOf(one)}>
          ↓ Download YAML
        </a>
        <DownloadMenu params={one} className="button icon" label="Other ways to take it" text="▾" />
      </div>
      <Copy text={kubectl(item.after)}>Copy as kubectl command</Copy>
      <Copy text={item.after}>Copy YAML</Copy>
    </div>
  );
}

function Changes({ item }: { item: Recommendation }) {
  if (item.changes.length === 0) return null;
  const signs = { remove: '−', narrow: '◂', split: '⑂', add: '+' };
  return (
    <ul className="changes">
      {item.changes.map((c) => (
        <li key={c.text} data-change={c.kind}>
          <b aria-hidden="true">{signs[c.kind]}</b> {c.text}
          {c.line ? <span className="quiet"> line {c.line}</span> : null}
        </li>
      ))}
    </ul>
  );
}

export function Detail({ item, params }: { item: Recommendation; params: Params }) {
  return (
    <article className="detail" data-testid="recommendation">
      <header className="detail-head">
        <div>
          <h2>{item.title}</h2>
          <p className="quiet">
            {refText(item.policy)}
            {item.file && (
              <>
                {' '}
                in <code>{item.file}</code>
              </>
            )}
          </p>
        </div>
        {!item.withheld && <Actions item={item} params={params} />}
      </header>
      {item.withheld && (
        <p className="callout" data-state="unused" data-testid="withheld">
          <b>Not offered:</b> {item.withheld}.
        </p>
      )}
      <Cuts proof={item.proof} offered={!item.withheld} />
      {!item.withheld && <Replayed item={item} params={params} />}
      <Changes item={item} />
      {item.after !== '' && (
        <Suspense fallback={<div className="diff-wait" aria-busy="true" />}>
          <Diff before={item.before} after={item.after} />
        </Suspense>
      )}
      <div className="two">
        {item.proof.statements.length > 0 && <Proof proof={item.proof} />}
        <Ready item={item} />
      </div>
      {item.before !== '' && (
        <p className="quiet">
          <Link to="/policies" change={{ policy: policyId(item.policy) }}>
            Usage of the policy in force, line by line
          </Link>
        </p>
      )}
    </article>
  );
}

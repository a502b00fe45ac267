// SPDX-License-Identifier: Apache-2.0
// Policies that are not in force, held against what was seen.
import { useEffect, useState } from 'react';
import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import type { PolicyList, RecommendationList, ReplayRequest } from '../../api/types';
import { useReplay } from '../../api/useReplay';
import { useResource } from '../../api/useResource';
import { PageHead } from '../../components/bits';
import { Failed } from '../../components/State';
import { refText } from '../../lib/format';
import { setParams, useLocation, useScope } from '../../lib/router';
import { Editor } from './Editor';
import { Outcome } from './Outcome';

const kept = 'netcinch.what-if';

/** The text outlives a reload, and stays in this tab. */
function useText() {
  const [text, set] = useState(() => sessionStorage.getItem(kept) ?? '');
  const change = (next: string) => {
    set(next);
    try {
      sessionStorage.setItem(kept, next);
    } catch {
      // too large to keep: it lasts as long as the page
    }
  };
  return [text, change] as const;
}

/** Policies in force, to begin with or to take away. */
function PolicyMenu({
  label,
  list,
  choose,
}: {
  label: string;
  list: PolicyList | undefined;
  choose: (id: string) => void;
}) {
  return (
    <MenuTrigger>
      <Button className="button small" isDisabled={!list?.items.length}>
        {label} <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <Menu className="menu" aria-label={label} items={list?.items ?? []}>
          {(p) => (
            <MenuItem id={p.id} className="option" onAction={() => choose(p.id)}>
              {refText(p.ref)}
            </MenuItem>
          )}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

function Removed({ ids, list }: { ids: string[]; list: PolicyList | undefined }) {
  if (ids.length === 0) return null;
  return (
    <ul className="effects" aria-label="Policies that go">
      {ids.map((id) => {
        const known = list?.items.find((p) => p.id === id);
        const name = known ? refText(known.ref) : id;
        return (
          <li key={id} className="chip" data-effect="removes">
            <b aria-hidden="true">−</b> without {name}
            <Button
              className="chip-button"
              aria-label={`Keep ${name}`}
              onPress={() => setParams({ remove: ids.filter((i) => i !== id).join(',') })}
            >
              ✕
            </Button>
          </li>
        );
      })}
    </ul>
  );
}

/** What the address asks to begin with: a recommendation, or a policy in force. */
function useStart(put: (text: string) => void) {
  const { params } = useLocation();
  const { cluster, from, to } = useScope();
  const recommendation = params.get('recommendation') ?? undefined;
  const policy = params.get('edit') ?? undefined;
  const scope = { cluster, from, to };
  const format = params.get('format') ?? undefined;
  const advice = useResource<RecommendationList>(recommendation && 'recommendations', {
    ...scope,
    id: recommendation,
    format,
  });
  const given = useResource<PolicyList>(policy && 'policies', { ...scope, id: policy });
  const text = recommendation ? advice.data?.items[0]?.after : given.data?.items[0]?.manifest;
  const source = recommendation ?? policy;
  const [done, setDone] = useState<string>();
  useEffect(() => {
    if (!source || !text || done === source) return;
    setDone(source);
    put(text);
  }, [source, text, done, put]);
  return {
    waiting: Boolean(source) && text === undefined && !advice.error && !given.error,
    source,
  };
}

export function WhatIf() {
  const { params } = useLocation();
  const scope = useScope();
  const { cluster, from, to } = scope;
  const [text, setText] = useText();
  const removed = (params.get('remove') ?? '').split(',').filter(Boolean);
  const [asked, setAsked] = useState<ReplayRequest | undefined>(
    removed.length > 0 ? { policies: text, remove: removed, exact: true } : undefined,
  );
  const policies = useResource<PolicyList>('policies', { cluster, from, to, brief: 'true' });
  const ask = (what = text, without = removed) =>
    setAsked({ policies: what, remove: without, exact: true });
  const start = useStart((given) => {
    setText(given);
    ask(given);
  });
  const replay = useReplay(asked, scope);
  const empty = !text.trim() && removed.length === 0;
  const changed = asked && (asked.policies !== text || asked.remove?.join() !== removed.join());
  return (
    <div className="page wide-page">
      <PageHead title="What if">
        Other policies, held against what was seen: who would have been cut, and what would newly
        pass. Nothing is changed in the cluster.
      </PageHead>
      <div className="what-if">
        <div className="what-if-input">
          <Editor text={text} change={setText} />
          <div className="actions">
            <PolicyMenu
              label="Edit a policy in force"
              list={policies.data}
              choose={(id) => setParams({ edit: id, recommendation: undefined })}
            />
            <PolicyMenu
              label="Take a policy away"
              list={policies.data}
              choose={(id) => setParams({ remove: [...new Set([...removed, id])].join(',') })}
            />
          </div>
          <Removed ids={removed} list={policies.data} />
          <Button
            className="button primary"
            isDisabled={empty || replay.busy}
            onPress={() => (changed || !asked ? ask() : replay.again())}
            data-testid="replay"
          >
            {replay.busy ? 'Replaying…' : 'Replay on history'}
          </Button>
          <p className="quiet">
            The time and the namespace at the top say which part of history is replayed.
          </p>
        </div>
        <div
          className="what-if-result"
          data-stale={changed || undefined}
          data-testid="what-if-result"
        >
          {changed && replay.data && (
            <p className="banner" role="status">
              The policies were changed since; replay them again.
            </p>
          )}
          {replay.error && <Failed error={replay.error} retry={replay.again} />}
          {(replay.busy || start.waiting) && (
            <p className="waiting" role="status">
              <span className="spinner" aria-hidden="true" /> Holding every connection against the
              policies…
            </p>
          )}
          {replay.data && <Outcome replay={replay.data} />}
          {!asked && !start.waiting && <Hint />}
        </div>
      </div>
    </div>
  );
}

const Hint = () => (
  <div className="card hint">
    <h2>Before a policy is applied</h2>
    <ul className="evidence">
      <li>Paste it, open a file, or begin with one that is in force.</li>
      <li>
        Choose the time at the top: what was seen in it is replayed, connection by connection.
      </li>
      <li>See who would have been cut and why, and what would pass that was denied.</li>
      <li>Recommendations have a link that opens them here.</li>
    </ul>
  </div>
);

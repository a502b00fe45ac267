// SPDX-License-Identifier: Apache-2.0
// What the map is narrowed to: free words, and terms that a form writes for
// those who do not know them by heart.
import { useEffect, useRef, useState } from 'react';
import { Button, Dialog, DialogTrigger, Input, Popover, SearchField } from 'react-aria-components';
import { useLocation } from '../../lib/router';
import { setText } from './useMapState';

const fields = [
  { key: 'namespace', name: 'Namespace', hint: 'shop' },
  { key: 'workload', name: 'Workload', hint: 'shop/cart or cart*' },
  { key: 'label', name: 'Label', hint: 'app=cart' },
  { key: 'from', name: 'From', hint: 'namespace, workload, prefix' },
  { key: 'to', name: 'To', hint: 'namespace, workload, prefix' },
  { key: 'port', name: 'Port', hint: '5432 or 8000-8100' },
  { key: 'process', name: 'Process', hint: 'curl' },
  { key: 'address', name: 'Address', hint: '203.0.113.7 or 10.1.0.0/16' },
] as const;
const verdicts = ['allowed', 'denied', 'unseen', 'unused', 'risky'];

/** The value of a term in a query; empty where there is none. */
export function termOf(text: string, key: string): string {
  const word = text.split(/\s+/).find((w) => w.startsWith(`${key}:`));
  return word?.slice(key.length + 1) ?? '';
}

/** A query with a term set, or taken out where the value is empty. */
export function withTerm(text: string, key: string, value: string): string {
  const term = value.trim() && `${key}:${value.trim().replace(/\s+/g, '*')}`;
  const words = text.split(/\s+/).filter(Boolean);
  const at = words.findIndex((w) => w.startsWith(`${key}:`));
  if (at >= 0) words.splice(at, 1, ...(term ? [term] : []));
  else if (term) words.push(term);
  return words.join(' ');
}

function Filters({ text, change }: { text: string; change: (text: string) => void }) {
  return (
    <div className="filters">
      {fields.map((f) => (
        <label key={f.key}>
          <span>{f.name}</span>
          <input
            value={termOf(text, f.key)}
            placeholder={f.hint}
            data-testid={`filter-${f.key}`}
            onChange={(e) => change(withTerm(text, f.key, e.target.value))}
          />
        </label>
      ))}
      <label>
        <span>Verdict</span>
        <select
          value={termOf(text, 'verdict')}
          data-testid="filter-verdict"
          onChange={(e) => change(withTerm(text, 'verdict', e.target.value))}
        >
          <option value="">any</option>
          {verdicts.map((v) => (
            <option key={v}>{v}</option>
          ))}
        </select>
      </label>
      <p className="quiet">
        All terms have to hold. A minus turns one around (<code>-ns:kube-system</code>), * stands
        for any text.
      </p>
      <Button className="button small" onPress={() => change('')}>
        Clear all
      </Button>
    </div>
  );
}

/** How long one may pause while typing before the server is asked, in ms. */
const pause = 250;

export function SearchBox({ problem }: { problem: string | undefined }) {
  const { params } = useLocation();
  const asked = params.get('q') ?? '';
  const [text, setLocal] = useState(asked);
  const told = useRef(asked);
  useEffect(() => {
    // The address changed by itself: a link, or the way back.
    if (asked !== told.current) {
      told.current = asked;
      setLocal(asked);
    }
  }, [asked]);
  useEffect(() => {
    if (text === told.current) return;
    const timer = setTimeout(() => {
      told.current = text;
      setText(text);
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);
  const terms = text.split(/\s+/).filter((w) => /^-?[a-z]+:./.test(w)).length;
  return (
    <div className="searching">
      <SearchField
        className="search"
        aria-label="Search names, namespaces, ports, addresses, processes"
        value={text}
        onChange={setLocal}
        isInvalid={problem !== undefined}
      >
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.4 3.4" />
        </svg>
        <Input placeholder="Search, or port:5432 to:data…" data-testid="search" />
      </SearchField>
      <DialogTrigger>
        <Button className="button small" data-testid="filters">
          Filters{terms > 0 && <span className="nav-count">{terms}</span>}
        </Button>
        <Popover className="popover">
          <Dialog className="filters-dialog" aria-label="Filters">
            <Filters text={text} change={setLocal} />
          </Dialog>
        </Popover>
      </DialogTrigger>
      {problem && (
        <p className="search-problem" role="alert" data-testid="search-problem">
          {problem}
        </p>
      )}
    </div>
  );
}

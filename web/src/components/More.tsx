// SPDX-License-Identifier: Apache-2.0
// Long lists: how much is shown, and a way to the rest.
import { useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import type { Resource } from '../api/useResource';
import { count } from '../lib/format';

export const step = 100;

/** How many items of a list are shown; what the list is of starts it anew. */
export function useShown(key: string, by = step) {
  const [state, setState] = useState({ key, shown: by });
  const shown = state.key === key ? state.shown : by;
  return { shown, more: () => setState({ key, shown: shown + by }) };
}

/** Shows what was there before, while more of the same is on its way. */
export function useLatest<T>(resource: Resource<T>, key: string): Resource<T> {
  const last = useRef<{ key: string; data: T }>(undefined);
  useEffect(() => {
    if (resource.data !== undefined) last.current = { key, data: resource.data };
  }, [resource.data, key]);
  if (!resource.loading || last.current?.key !== key) return resource;
  return { ...resource, data: last.current.data, loading: false };
}

export function More({
  shown,
  total,
  more,
  what,
}: {
  shown: number;
  total: number;
  more: () => void;
  what: string;
}) {
  if (shown >= total) return null;
  return (
    <div className="more" data-testid="more">
      <span>
        {count(shown)} of {count(total)} {what} are shown.
      </span>
      <Button className="button small" onPress={more}>
        Show {count(Math.min(step, total - shown))} more
      </Button>
    </div>
  );
}

export function Search({
  value,
  change,
  label,
}: {
  value: string;
  change: (text: string) => void;
  label: string;
}) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value); // from elsewhere: a link, the history
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      change(text);
    }, 200);
    return () => clearTimeout(timer);
  }, [text, change]);
  return (
    <input
      type="search"
      className="search"
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(e) => setText(e.target.value)}
    />
  );
}

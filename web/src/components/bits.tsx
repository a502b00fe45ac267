// SPDX-License-Identifier: Apache-2.0
// Small parts that several pages are made of.
import { type MouseEvent, type ReactNode, useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import type { EdgeState, ReadyState } from '../api/types';
import { ago, exact } from '../lib/format';
import { stateWords } from '../lib/graph';
import { type Change, linkTo, navigate, useLocation } from '../lib/router';
import { useNow } from '../lib/useNow';

/** A link within the page; a modified click opens it as the browser would. */
export function Link(props: {
  to: string;
  change?: Change;
  /** Parameters of this page that go along, beside the shared ones. */
  keep?: string[];
  className?: string;
  children: ReactNode;
  current?: boolean;
  testId?: string;
}) {
  const { params } = useLocation(); // the shared parameters are part of the address
  const kept = (props.keep ?? []).map((name) => [name, params.get(name) ?? undefined]);
  const href = linkTo(props.to, { ...Object.fromEntries(kept), ...props.change });
  const go = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a
      href={href}
      onClick={go}
      className={props.className}
      aria-current={props.current ? 'page' : undefined}
      data-testid={props.testId}
    >
      {props.children}
    </a>
  );
}

export function Sign({ state, denied }: { state: EdgeState; denied?: boolean }) {
  const { sign, name } = stateWords[state];
  return (
    <span className="sign" data-state={state} title={name}>
      <span aria-hidden="true">{state === 'unseen' && denied ? '!✕' : sign}</span>
      <span className="hidden">{name}</span>
    </span>
  );
}

export function StateChip({
  state,
  denied,
  risky,
}: {
  state: EdgeState;
  denied?: boolean;
  risky?: boolean;
}) {
  const { sign, name } = stateWords[state];
  return (
    <span className="chip" data-state={state}>
      <b aria-hidden="true">{sign}</b> {name}
      {state === 'unseen' && denied ? ', denied' : ''}
      {risky ? ', risky' : ''}
    </span>
  );
}

const readyWords: Record<ReadyState, { text: string; sign: string }> = {
  ready: { text: 'Ready', sign: '●' },
  stabilising: { text: 'Stabilising', sign: '◕' },
  learning: { text: 'Learning', sign: '◔' },
  silent: { text: 'No traffic seen', sign: '○' },
};

export function ReadyChip({ state }: { state: ReadyState }) {
  const { text, sign } = readyWords[state];
  return (
    <span className="chip" data-ready={state}>
      <b aria-hidden="true">{sign}</b> {text}
    </span>
  );
}

export function Age({ time }: { time: string | undefined }) {
  const now = useNow();
  if (!time || time.startsWith('0001')) return <span>never</span>;
  return (
    <time dateTime={time} title={exact(time)}>
      {ago(time, now)}
    </time>
  );
}

export function Copy({
  text,
  children,
  className = 'button',
}: {
  text: string;
  children: ReactNode;
  className?: string;
}) {
  const [done, setDone] = useState<'copied' | 'failed'>();
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(undefined), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setDone('copied'),
      () => setDone('failed'),
    );
  const words = { copied: 'Copied ✓', failed: 'Not permitted by the browser' };
  return (
    <Button className={className} onPress={copy}>
      <span aria-live="polite">{done ? words[done] : children}</span>
    </Button>
  );
}

export function PageHead({
  title,
  children,
  aside,
}: {
  title: string;
  children?: ReactNode;
  aside?: ReactNode;
}) {
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {children && <p>{children}</p>}
      </div>
      {aside && <div className="page-aside">{aside}</div>}
    </header>
  );
}

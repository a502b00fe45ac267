// SPDX-License-Identifier: Apache-2.0
// How a page says that it is loading, empty, failed or old.
import { type ReactNode, useEffect } from 'react';
import { Button } from 'react-aria-components';
import type { ApiError } from '../api/client';
import type { Resource } from '../api/useResource';
import { setParams, useLocation } from '../lib/router';

export function Loading({ what }: { what: string }) {
  return (
    <div className="state" role="status" data-testid="loading">
      <div className="spinner" aria-hidden="true" />
      <p>Loading {what}…</p>
    </div>
  );
}

export function Empty({
  title,
  children,
  icon = '◌',
}: {
  title: string;
  children?: ReactNode;
  icon?: string;
}) {
  return (
    <div className="state" data-testid="empty">
      <div className="state-icon" aria-hidden="true">
        {icon}
      </div>
      <h2>{title}</h2>
      <div className="state-text">{children}</div>
    </div>
  );
}

/** What one can do about an error, by what the server said. */
function remedy(error: ApiError): { title: string; hint?: string; drop?: string } {
  if (error.parameter && scoped.has(error.parameter))
    return { title: `${error.parameter} is not right`, drop: error.parameter };
  if (error.parameter) return { title: `${error.parameter} is not right` };
  switch (error.status) {
    case 0:
      return { title: 'The recommender does not answer' };
    case 403:
      return {
        title: 'You may not see this',
        hint: 'You see the namespaces that your rights in the cluster let you see. Ask its administrator for more, or choose a namespace of yours.',
        drop: 'namespace',
      };
    case 503:
      return { title: 'The first picture is being made', hint: 'This page comes by itself.' };
    default:
      return { title: 'This could not be loaded' };
  }
}
const scoped = new Set(['namespace', 'from', 'to', 'cluster']);
const without: Record<string, string> = {
  namespace: 'Show all namespaces',
  cluster: 'Show the first cluster',
};

export function Failed({ error, retry }: { error: ApiError; retry: () => void }) {
  const { title, hint, drop } = remedy(error);
  const { params } = useLocation();
  const starting = error.status === 503;
  useEffect(() => {
    if (!starting) return;
    const timer = setInterval(retry, 1500);
    return () => clearInterval(timer);
  }, [starting, retry]);
  const way = drop && params.has(drop) ? drop : undefined;
  return (
    <div
      className="state"
      role="alert"
      data-testid={error.status === 403 ? 'forbidden' : starting ? 'starting' : 'error'}
    >
      {starting ? (
        <div className="spinner" aria-hidden="true" />
      ) : (
        <div className="state-icon" data-bad="true" aria-hidden="true">
          {error.status === 403 ? '⊘' : '!'}
        </div>
      )}
      <h2>{title}</h2>
      <p className="state-text">
        {error.message}
        {hint && <span>{hint}</span>}
      </p>
      <div className="actions">
        {!starting && (
          <Button className="button" onPress={retry}>
            Try again
          </Button>
        )}
        {way && (
          <Button
            className="button primary"
            onPress={() =>
              setParams(
                way === 'from' || way === 'to'
                  ? { from: undefined, to: undefined }
                  : { [way]: undefined },
              )
            }
          >
            {without[way] ?? 'Show all that is kept'}
          </Button>
        )}
      </div>
    </div>
  );
}

function Stale({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div className="banner" role="status" data-testid="stale">
      <span>This is older than it should be: {error.message}</span>
      <Button className="button small" onPress={retry}>
        Refresh
      </Button>
    </div>
  );
}

/** Shows a resource's body, or the state that it is in instead. */
export function Loaded<T>({
  from,
  what,
  children,
}: {
  from: Resource<T>;
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (from.data === undefined) {
    return from.error ? <Failed error={from.error} retry={from.reload} /> : <Loading what={what} />;
  }
  return (
    <>
      {from.stale && from.error && <Stale error={from.error} retry={from.reload} />}
      {children(from.data)}
    </>
  );
}

// SPDX-License-Identifier: Apache-2.0
// How a page says that it is loading, empty, failed or old.
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components';
import type { ApiError } from '../api/client';
import type { Resource } from '../api/useResource';

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

export function Failed({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div className="state" role="alert" data-testid="error">
      <div className="state-icon" data-bad="true" aria-hidden="true">
        !
      </div>
      <h2>{error.parameter ? `${error.parameter} is not right` : 'This could not be loaded'}</h2>
      <p className="state-text">{error.message}</p>
      <Button className="button" onPress={retry}>
        Try again
      </Button>
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

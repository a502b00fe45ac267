// SPDX-License-Identifier: Apache-2.0
// What was decided about alerts: the audit trail, and the silences that hold.
import { useState } from 'react';
import { Button } from 'react-aria-components';
import { type ApiError, address, post } from '../../api/client';
import type { DecisionList, Silence, SilenceList } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link } from '../../components/bits';
import { More, useLatest, useShown } from '../../components/More';
import { Empty, Loaded } from '../../components/State';
import { exact } from '../../lib/format';
import { useScope } from '../../lib/router';
import { Entry } from './Detail';
import { kindOf } from './words';

const alertId = /^[0-9a-f]{16}$/;

export function Trail() {
  const { cluster } = useScope();
  const { shown, more } = useShown('trail');
  const trail = useLatest(
    useResource<DecisionList>('decisions', { cluster, limit: String(shown) }),
    'trail',
  );
  return (
    <Loaded from={trail} what="the audit trail">
      {(list) =>
        list.items.length === 0 ? (
          <Empty title="Nobody decided anything yet">
            <p>Who accepts, rejects or silences an alert, when and why, is kept here for ever.</p>
          </Empty>
        ) : (
          <section className="card" data-testid="trail">
            <ol className="trail">
              {list.items.map((entry) => (
                <li key={entry.id}>
                  <ol className="trail-one">
                    <Entry entry={entry} name={nameOf(entry.finding)} />
                  </ol>
                  {alertId.test(entry.finding) && (
                    <Link to={`/alerts/${entry.finding}`}>The alert</Link>
                  )}
                </li>
              ))}
            </ol>
            <More shown={list.items.length} total={list.total} more={more} what="entries" />
          </section>
        )
      }
    </Loaded>
  );
}

/** What an entry is about, in words. */
function nameOf(finding: string): string {
  if (alertId.test(finding)) return 'an alert';
  const [what, rest] = finding.split(/:(.*)/s);
  if (what === 'silence') return 'some alerts';
  return what === 'baseline' ? `the baseline of ${rest}` : `connection ${finding}`;
}

/** Which alerts a silence holds back. */
function scopeOf(s: Silence): string {
  const parts = [
    s.alert && 'one alert',
    s.kind && kindOf(s.kind).name.toLowerCase(),
    s.severity && `severity ${s.severity}`,
    s.workload ?? (s.namespace && `namespace ${s.namespace}`),
  ].filter(Boolean);
  return parts.join(', ');
}

export function Silences() {
  const { cluster } = useScope();
  const silences = useResource<SilenceList>('silences', { cluster });
  const [error, setError] = useState<ApiError>();
  const end = (s: Silence) =>
    post(address(`silences/${encodeURIComponent(s.id)}/end`, { cluster }), {
      reason: 'Ended on the page.',
    }).then(silences.reload, setError);
  return (
    <Loaded from={silences} what="the silences">
      {(list) =>
        list.items.length === 0 ? (
          <Empty title="Nothing is silenced">
            <p>An alert can be silenced for a while on its page.</p>
          </Empty>
        ) : (
          <section className="card" data-testid="silences">
            {error && (
              <p className="bad" role="alert">
                {error.message}
              </p>
            )}
            <ul className="trail">
              {list.items.map((s) => (
                <li key={s.id} className="trail-entry">
                  <p>
                    <b>{scopeOf(s)}</b>, until {exact(s.until)}{' '}
                    <span className="quiet">
                      by {s.by} <Age time={s.at} />
                    </span>
                  </p>
                  <p className="trail-reason">{s.reason}</p>
                  <div className="actions">
                    {s.alert && <Link to={`/alerts/${s.alert}`}>The alert</Link>}
                    <Button className="button small" onPress={() => void end(s)}>
                      End it now
                    </Button>
                  </div>
                </li>
              ))}
            </ul>
          </section>
        )
      }
    </Loaded>
  );
}

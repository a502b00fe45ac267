// SPDX-License-Identifier: Apache-2.0
// Where alerts are told, whether they arrive, and a test of each.
import { useState } from 'react';
import { Button } from 'react-aria-components';
import { type ApiError, address, post } from '../../api/client';
import type { SinkList, SinkStatus, SinkTest, Status } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link } from '../../components/bits';
import { Empty, Loaded } from '../../components/State';
import { count } from '../../lib/format';
import { useScope } from '../../lib/router';

const states: Record<SinkStatus['state'], { name: string; sign: string; look: string }> = {
  up: { name: 'takes alerts', sign: '●', look: 'ready' },
  untried: { name: 'was not tried yet', sign: '○', look: 'silent' },
  failing: { name: 'did not take the last alert', sign: '▲', look: 'learning' },
  dead: { name: 'has taken no alerts for long', sign: '✕', look: 'learning' },
};

function Test({ sink }: { sink: SinkStatus }) {
  const { cluster } = useScope();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');
  const test = () => {
    setBusy(true);
    post<SinkTest>(address(`sinks/${encodeURIComponent(sink.name)}/test`, { cluster }), {})
      .then((r) => {
        const took = `in ${count(r?.tookMilliseconds ?? 0)} ms`;
        setSaid(r?.ok ? `It took the test alert ${took}.` : `It did not: ${r?.problem}`);
      })
      .catch((error: ApiError) => setSaid(error.message))
      .finally(() => setBusy(false));
  };
  return (
    <div className="sink-test">
      <Button className="button small" onPress={test} isDisabled={busy} data-testid="test-sink">
        {busy ? 'Sending…' : 'Send a test alert'}
      </Button>
      <span aria-live="polite">{said}</span>
    </div>
  );
}

function Sink({ sink }: { sink: SinkStatus }) {
  const state = states[sink.state];
  const dropped = sink.overflowed + sink.refused;
  return (
    <li className="trail-entry" data-testid={`sink-${sink.name}`}>
      <p>
        <b>{sink.name}</b> <span className="quiet">{sink.type}</span> <code>{sink.target}</code>{' '}
        <span className="chip" data-ready={state.look}>
          <b aria-hidden="true">{state.sign}</b> {state.name}
        </span>
      </p>
      <p className="quiet">
        {count(sink.delivered)} told
        {sink.lastSuccess && (
          <>
            , the last one <Age time={sink.lastSuccess} />
          </>
        )}
        ; {count(sink.waiting)} of at most {count(sink.limit)} waiting
        {dropped > 0 && `; ${count(dropped)} lost`}
      </p>
      {sink.problem && (
        <p className="trail-reason">
          {sink.problem}
          {sink.failingSince && (
            <span className="quiet">
              {' '}
              since <Age time={sink.failingSince} />
            </span>
          )}
        </p>
      )}
      <Test sink={sink} />
    </li>
  );
}

/** Alerts that do not arrive are no alerts: it is said above them. */
export function Undelivered({ status }: { status: Status | undefined }) {
  const delivery = status?.delivery;
  if (!delivery || (delivery.dead.length === 0 && !delivery.problem)) return null;
  return (
    <p className="callout" data-state="denied" role="alert" data-testid="undelivered">
      {delivery.problem
        ? `The file that says where alerts are told is not in force: ${delivery.problem} `
        : `Alerts do not arrive at ${delivery.dead.join(', ')}. `}
      <Link to="/alerts" change={{ show: 'sinks' }}>
        Where they are told
      </Link>
    </p>
  );
}

export function Sinks() {
  const { cluster } = useScope();
  const sinks = useResource<SinkList>('sinks', { cluster });
  return (
    <Loaded from={sinks} what="where alerts go">
      {(list) =>
        list.sinks.length === 0 ? (
          <Empty title="Alerts are told to nobody">
            <p>
              They are on this page alone. They can also go to Alertmanager, a webhook, Slack,
              Kubernetes Events or syslog: name them in a file, and start the recommender with{' '}
              <code>--alerts FILE</code>.
            </p>
            {list.problem && <p className="bad">{list.problem}</p>}
          </Empty>
        ) : (
          <section className="card" data-testid="sinks">
            <h2>Where alerts go</h2>
            {list.problem && (
              <p className="callout" data-state="denied" role="alert">
                <b>The file as it is now is not in force:</b> {list.problem}
              </p>
            )}
            <ul className="trail">
              {list.sinks.map((s) => (
                <Sink key={s.name} sink={s} />
              ))}
            </ul>
          </section>
        )
      }
    </Loaded>
  );
}

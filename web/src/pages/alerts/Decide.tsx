// SPDX-License-Identifier: Apache-2.0
// Accept, reject, reopen, silence: each asks why, and the reason is kept.
import { type FormEvent, useState } from 'react';
import { Button, Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { type ApiError, address, post } from '../../api/client';
import type { Alert, AlertEdit } from '../../api/types';
import { Copy } from '../../components/bits';
import { kubectl } from '../../components/Download';
import { YamlLine } from '../../components/Yaml';

type Verdict = 'accept' | 'reject' | 'reopen' | 'silence';

const words: Record<Verdict, { button: string; title: string; text: string; ask: string }> = {
  accept: {
    button: 'Accept',
    title: 'Accept it into the baseline',
    text: 'It is wanted. From now on it is known: it is no longer told, and recommendations keep it.',
    ask: 'Why is it wanted?',
  },
  reject: {
    button: 'Reject',
    title: 'Reject it',
    text: 'It is not wanted. It stays out of the baseline, and no recommendation ever keeps it. Nothing is cut by this: apply the narrowing for that.',
    ask: 'Why is it not wanted?',
  },
  reopen: {
    button: 'Reopen',
    title: 'Take the decision back',
    text: 'It stands again as it was before somebody decided.',
    ask: 'Why is it open again?',
  },
  silence: {
    button: 'Silence',
    title: 'Hold it back for a while',
    text: 'Nobody is told about it until then. It stays on this page, and nothing is learnt from it.',
    ask: 'Why can it wait?',
  },
};

const spans = [
  { name: '1 hour', hours: 1 },
  { name: '8 hours', hours: 8 },
  { name: '1 day', hours: 24 },
  { name: '1 week', hours: 168 },
  { name: '30 days', hours: 720 },
];

const later = (hours: number) => new Date(Date.now() + hours * 3600_000).toISOString();

/** Sends a decision; the route depends on what was decided. */
function send(alert: Alert, verdict: Verdict, reason: string, hours: number, cluster?: string) {
  if (verdict === 'silence') {
    return post(address('silences', { cluster }), {
      ...{ alert: alert.id, reason, until: later(hours) },
    });
  }
  const until = verdict === 'accept' && hours > 0 ? { until: later(hours) } : {};
  return post(address(`alerts/${encodeURIComponent(alert.id)}/${verdict}`, { cluster }), {
    reason,
    ...until,
  });
}

/** What scrolls has to be reached by keyboard. */
const reachable = { tabIndex: 0 };

/** A change of policies that goes with an alert. */
export function Edit({ edit, title }: { edit: AlertEdit; title: string }) {
  const text = edit.diff || edit.after || '';
  return (
    <section className="card" data-testid="alert-edit">
      <h3>{title}</h3>
      <p>
        {edit.text}
        {edit.exact && (
          <span className="quiet">
            {' '}
            Proved: it changes this, and nothing else that was seen and learnt.
          </span>
        )}
      </p>
      {text && (
        <section className="edit-diff" aria-label={title} {...reachable}>
          {text
            .replace(/\n$/, '')
            .split('\n')
            .map((line, i) => (
              <div
                // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
                key={i}
                className="code-line"
                data-diff={edit.diff && !/^(---|\+\+\+)/.test(line) ? line[0] : undefined}
              >
                <span className="code-text">
                  <YamlLine text={line} />
                </span>
              </div>
            ))}
        </section>
      )}
      {edit.after && (
        <div className="actions">
          <Copy text={kubectl(edit.after)} className="button small">
            Copy as kubectl command
          </Copy>
          <Copy text={edit.after} className="button small">
            Copy YAML
          </Copy>
        </div>
      )}
    </section>
  );
}

interface Props {
  alert: Alert;
  verdict: Verdict;
  cluster: string | undefined;
  done: () => void;
}

function Form({ alert, verdict, cluster, done, close }: Props & { close: () => void }) {
  const [reason, setReason] = useState('');
  const [hours, setHours] = useState(verdict === 'silence' ? 24 : 0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const word = words[verdict];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!reason.trim() || busy) return;
    setBusy(true);
    send(alert, verdict, reason, hours, cluster).then(
      () => {
        close();
        done();
      },
      (problem: ApiError) => {
        setError(problem);
        setBusy(false);
      },
    );
  };
  return (
    <form onSubmit={submit} className="decide">
      <Heading slot="title">{word.title}</Heading>
      <p className="quiet">{alert.title}</p>
      <p>{word.text}</p>
      <label>
        {word.ask}
        <textarea
          rows={3}
          required
          value={reason}
          onChange={(e) => setReason(e.target.value)}
          data-testid="reason"
        />
        <span className="quiet">It stays in the audit trail, with your name.</span>
      </label>
      {(verdict === 'silence' || verdict === 'accept') && (
        <label>
          {verdict === 'silence' ? 'For how long?' : 'Until when?'}
          <select value={hours} onChange={(e) => setHours(Number(e.target.value))}>
            {verdict === 'accept' && <option value={0}>For ever</option>}
            {spans.map((s) => (
              <option key={s.hours} value={s.hours}>
                {verdict === 'accept' ? `For ${s.name}` : s.name}
              </option>
            ))}
          </select>
        </label>
      )}
      {error && (
        <p className="bad" role="alert">
          {error.status === 403 ? 'You may not decide this. ' : ''}
          {error.message}
        </p>
      )}
      <div className="actions">
        <Button
          type="submit"
          className="button primary"
          isDisabled={busy || !reason.trim()}
          data-testid="decide"
        >
          {word.button}
        </Button>
        <Button className="button" onPress={close}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

export function Decide(props: Props) {
  return (
    <DialogTrigger>
      <Button
        className={props.verdict === 'accept' ? 'button primary' : 'button'}
        data-testid={`ask-${props.verdict}`}
      >
        {words[props.verdict].button}…
      </Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog className="dialog">{({ close }) => <Form {...props} close={close} />}</Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}

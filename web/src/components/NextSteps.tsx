// SPDX-License-Identifier: Apache-2.0
// What happens between the first start and the first advice, and how far it is.
import type { ReactNode } from 'react';
import type { Status } from '../api/types';
import { duration, plural } from '../lib/format';
import { Link } from './bits';

interface Step {
  done: boolean;
  title: string;
  text: ReactNode;
}

function read(s: Status): Step {
  const found = s.totals.workloads > 0;
  return {
    done: found,
    title: 'The cluster is read',
    text: found
      ? `${plural(s.totals.workloads, 'workload')} in ${plural(s.totals.namespaces, 'namespace')}, ${plural(s.totals.policies, 'policy', 'policies')} from ${s.sources.join(', ')}.`
      : `Nothing was found in ${s.sources.join(', ') || 'what was given'}: there are no workloads yet.`,
  };
}

function reported(s: Status): Step {
  if (s.mode !== 'live') {
    const text = 'There is no agent to wait for.';
    return { done: true, title: 'Flows come from a file', text };
  }
  return {
    done: s.totals.agents > 0,
    title: 'Agents report',
    text:
      s.totals.agents > 0 ? (
        <>
          {plural(s.totals.agents, 'node')} so far. <Link to="/coverage">Coverage</Link> says which.
        </>
      ) : (
        <>
          The DaemonSet netcinch-agent sends to <code>{s.ingest}</code>; the first batch comes
          within a minute of its start. <Link to="/coverage">Coverage</Link> says which nodes
          report.
        </>
      ),
  };
}

function learnt(s: Status, seen: boolean): Step {
  const until = s.learning.until;
  const left = until && duration((Date.parse(until) - Date.parse(s.now)) / 1000);
  const done = seen && !s.learning.active;
  return {
    done,
    title: 'Learning ends',
    text: done
      ? 'What is new from now on is held as unseen, and told as an alert.'
      : `What is usual is learnt for ${duration(s.learning.seconds)} from a workload's first connection${seen && left ? `; ${left} are left` : ''}. After that, what is new is told as an alert.`,
  };
}

function stepsOf(s: Status): Step[] {
  const seen = s.totals.edges > 0;
  return [
    read(s),
    reported(s),
    {
      done: seen,
      title: 'Connections are seen',
      text: seen
        ? `${plural(s.totals.edges, 'kind')} of connection, named and judged.`
        : 'Every connection of a pod appears on the map within seconds, with the policy that lets it through.',
    },
    learnt(s, seen),
    {
      done: s.totals.recommendations > 0,
      title: 'Policies are recommended',
      text: 'Each with its proof, and with how far it can be trusted. Nothing is ever applied by itself.',
    },
  ];
}

export function NextSteps({ status }: { status: Status | undefined }) {
  if (!status) return null;
  const steps = stepsOf(status);
  const now = steps.findIndex((s) => !s.done);
  return (
    <ol className="steps" data-testid="next-steps">
      {steps.map((s, i) => (
        <li key={s.title} data-done={s.done || undefined} data-now={i === now || undefined}>
          <b aria-hidden="true">{s.done ? '✓' : i + 1}</b>
          <div>
            <h3>
              {s.title}
              <span className="hidden">
                {s.done ? ' (done)' : i === now ? ' (now)' : ' (later)'}
              </span>
            </h3>
            <p>{s.text}</p>
          </div>
        </li>
      ))}
    </ol>
  );
}

// SPDX-License-Identifier: Apache-2.0
import type { Edge, Side, Step } from '../api/types';
import { refText } from '../lib/format';
import { Link } from './bits';

export const policyId = (r: {
  kind: string;
  namespace?: string;
  name: string;
  apiVersion: string;
}) =>
  [r.apiVersion.includes('calico') ? 'calico' : 'k8s', r.kind, r.namespace ?? '', r.name].join('/');

function StepLine({ step }: { step: Step }) {
  return (
    <li>
      {step.text}
      {step.policy && (
        <>
          {' '}
          <Link to="/policies" change={{ policy: refText(step.policy) }}>
            manifest{step.line ? `, line ${step.line}` : ''}
          </Link>
        </>
      )}
    </li>
  );
}

function SideView({ title, side }: { title: string; side: Side }) {
  return (
    <div className="why" data-allowed={side.allowed}>
      <h4>
        <b aria-hidden="true">{side.allowed ? '✓' : '✕'}</b> {title}{' '}
        <span>
          {side.allowed
            ? side.isolated
              ? 'allowed by a rule'
              : 'open: nothing isolates it'
            : 'denied'}
        </span>
      </h4>
      <ul>
        {side.why.map((step) => (
          <StepLine key={step.text} step={step} />
        ))}
      </ul>
    </div>
  );
}

/** The verdict with its why, for both ends. */
export function Why({ edge }: { edge: Edge }) {
  const { verdict } = edge;
  return (
    <>
      <SideView title="Egress, at the client" side={verdict.egress} />
      <SideView title="Ingress, at the server" side={verdict.ingress} />
      {[...verdict.mixed, ...verdict.uncertain].map((text) => (
        <p key={text} className="note">
          {text}
        </p>
      ))}
    </>
  );
}

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Graph, GraphEdge } from '../api/types';
import { graph } from '../fixture/data';
import {
  changeLooks,
  type Filter,
  groupOf,
  groupTitle,
  type Look,
  portsLabel,
  stateLooks,
  viewOf,
} from './graph';

const everything: Filter = { shown: new Set([...stateLooks, ...changeLooks]), noise: true };
const quiet: Filter = { ...everything, noise: false };
const edge = (change: Partial<GraphEdge>): GraphEdge => ({
  ...(graph.edges[0] as GraphEdge),
  ...change,
});
const of = (edges: GraphEdge[]): Graph => ({ ...graph, edges });

describe('viewOf', () => {
  it('folds infrastructure, and says how much', () => {
    const shown = viewOf(graph, everything);
    const folded = viewOf(graph, quiet);
    expect(folded.noise).toBe(10);
    expect(shown.noise).toBe(10);
    const drawn = (v: typeof shown) => v.bundles.reduce((n, b) => n + b.edges.length, 0);
    expect(drawn(shown) - drawn(folded)).toBe(10);
  });

  it.each([
    ['denied', { state: 'denied', denied: true }],
    ['unseen', { state: 'unseen' }],
    ['risky', { risky: true }],
  ] as [string, Partial<GraphEdge>][])('never folds what is %s', (_, change) => {
    const view = viewOf(of([edge({ noise: 'dns', ...change })]), quiet);
    expect(view.bundles).toHaveLength(1);
    expect(view.noise).toBe(0);
  });

  it('bundles what runs between the same two in the same state', () => {
    const view = viewOf(
      of([
        edge({ id: 'a', port: 80 }),
        edge({ id: 'b', port: 443 }),
        edge({ id: 'c', state: 'unused' }),
      ]),
      everything,
    );
    expect(view.bundles.map((b) => [b.look, b.label, b.edges.length])).toEqual([
      ['allowed', '80, 443', 2],
      ['unused', '8080', 1],
    ]);
  });

  it.each<[string, Look[]]>([
    ['denied only', ['denied']],
    ['nothing', []],
  ])('filters by look: %s', (_, wanted) => {
    const view = viewOf(graph, { ...everything, shown: new Set(wanted) });
    expect(new Set(view.bundles.map((b) => b.look))).toEqual(new Set(wanted));
    expect(view.counts.allowed).toBeGreaterThan(0);
  });

  it('draws what is risky as a line of its own', () => {
    const view = viewOf(of([edge({ id: 'a' }), edge({ id: 'b', risky: true })]), everything);
    expect(view.bundles.map((b) => b.look)).toEqual(['allowed', 'risky']);
    expect(view.counts.risky).toBe(1);
  });

  it('draws changes instead of states where two windows are compared', () => {
    const changed = {
      ...of([edge({ change: 'new', risky: true }), edge({ id: 'b', change: 'gone' })]),
    };
    const before = { window: {}, counts: { new: 1, gone: 1, changed: 0, same: 0 } };
    const view = viewOf({ ...changed, before }, everything);
    expect(view.bundles.map((b) => b.look)).toEqual(['new', 'gone']);
    expect(view.comparing).toBe(true);
  });

  it('never folds infrastructure that is new or gone', () => {
    const edges = [
      edge({ noise: 'dns', change: 'new' }),
      edge({ id: 'b', noise: 'dns', change: 'same' }),
    ];
    expect(viewOf(of(edges), quiet).bundles.map((b) => b.look)).toEqual(['new']);
  });

  it('counts the edges that a folded line stands for', () => {
    const plain = graph.edges.find((e) => !e.noise && e.state === 'allowed') as GraphEdge;
    const view = viewOf(of([edge({ count: 7, noise: 'dns' }), { ...plain, count: 3 }]), quiet);
    expect(view.noise).toBe(7);
    expect(view.noises.get('dns')).toBe(7);
    expect(view.counts.allowed).toBe(3);
    expect(view.bundles[0]?.label).toBe('3 edges');
  });

  it('keeps every workload in the picture while nothing is searched for', () => {
    const workloads = graph.nodes.filter((n) => n.kind === 'workload').length;
    const view = viewOf(of([]), quiet);
    expect(view.nodes).toHaveLength(workloads);
  });
});

it('puts the control plane, other clusters and outside peers apart', () => {
  const node = { ...(graph.nodes[0] as (typeof graph.nodes)[number]) };
  const group = (change: object) => groupOf({ ...node, ...change }, new Set(['caller']));
  expect(group({ kind: 'node', role: 'control-plane' })).toBe('~control');
  expect(group({ kind: 'node' })).toBe('~nodes');
  expect(groupTitle(group({ kind: 'outside', elsewhere: 'prod/shop/db' }))).toBe('Cluster prod');
  expect(group({ kind: 'outside', id: 'caller' })).toBe('~callers');
  expect(group({ kind: 'namespace', id: 'namespace:shop' })).toBe('=namespace:shop');
});

it('shortens a long list of ports', () => {
  const ports = [1, 2, 3, 4].map((port) => edge({ port }));
  expect(portsLabel(ports)).toBe('1, 2 +2');
  expect(portsLabel([edge({ port: 0, protocol: 'ICMP' })])).toBe('ICMP');
  expect(portsLabel([edge({ port: 53, protocol: 'UDP' })])).toBe('53/UDP');
  expect(portsLabel([edge({ port: 0, portText: 'TCP 8000-8100' })])).toBe('8000-8100');
});

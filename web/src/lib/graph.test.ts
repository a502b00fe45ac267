// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { EdgeState, Graph, GraphEdge } from '../api/types';
import { graph } from '../fixture/data';
import { type Filter, portsLabel, states, viewOf } from './graph';

const everything: Filter = { text: '', states: new Set(states), noise: true };
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
    expect(view.bundles.map((b) => [b.state, b.label, b.edges.length])).toEqual([
      ['allowed', '80, 443', 2],
      ['unused', '8080', 1],
    ]);
  });

  it.each<[string, EdgeState[]]>([
    ['denied only', ['denied']],
    ['nothing', []],
  ])('filters by state: %s', (_, wanted) => {
    const view = viewOf(graph, { ...everything, states: new Set(wanted) });
    expect(new Set(view.bundles.map((b) => b.state))).toEqual(new Set(wanted));
    expect(view.counts.allowed).toBeGreaterThan(0);
  });

  it.each([
    ['a workload', 'ledger', 'workload:payments/CronJob/ledger'],
    ['an address', '203.0.113.20', 'outside:api.paynow.example'],
    ['a port', '9200', 'workload:data/StatefulSet/search'],
    ['two words', 'cart 4444', 'outside:198.51.100.77'],
  ])('finds %s', (_, text, id) => {
    const view = viewOf(graph, { ...quiet, text });
    expect(view.nodes.map((n) => n.id)).toContain(id);
    expect(view.nodes.length).toBeLessThan(graph.nodes.length);
  });

  it('finds a process', () => {
    const view = viewOf(
      of([
        edge({ id: 'a', processes: ['/usr/bin/curl'] }),
        edge({ id: 'b', source: 'node:node-1' }),
      ]),
      { ...everything, text: 'curl' },
    );
    expect(view.bundles.map((b) => b.edges[0]?.id)).toEqual(['a']);
  });

  it('keeps every workload in the picture while nothing is searched for', () => {
    const workloads = graph.nodes.filter((n) => n.kind === 'workload').length;
    const view = viewOf(of([]), quiet);
    expect(view.nodes).toHaveLength(workloads);
  });
});

it('shortens a long list of ports', () => {
  const ports = [1, 2, 3, 4].map((port) => edge({ port }));
  expect(portsLabel(ports)).toBe('1, 2 +2');
  expect(portsLabel([edge({ port: 0, protocol: 'ICMP' })])).toBe('ICMP');
  expect(portsLabel([edge({ port: 53, protocol: 'UDP' })])).toBe('53/UDP');
  expect(portsLabel([edge({ port: 0, portText: 'TCP 8000-8100' })])).toBe('8000-8100');
});

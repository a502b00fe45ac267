// SPDX-License-Identifier: Apache-2.0
// From the server's graph to what is drawn: filtered, and parallel edges bundled.
import type { EdgeState, Graph, GraphEdge, GraphNode } from '../api/types';

export const states: EdgeState[] = ['allowed', 'unseen', 'denied', 'unused'];

/** What each state is called and how it is told without colour. */
export const stateWords: Record<EdgeState, { name: string; sign: string; help: string }> = {
  allowed: { name: 'Allowed', sign: '→', help: 'Seen, and the policies allow it' },
  unseen: {
    name: 'Unseen before',
    sign: '!',
    help: 'Began after the learning period; nobody accepted it',
  },
  denied: { name: 'Denied', sign: '✕', help: 'Tried, and a policy or the kernel cuts it' },
  unused: { name: 'Unused', sign: '◌', help: 'A policy allows it and nobody uses it' },
};

export interface Filter {
  text: string;
  states: ReadonlySet<EdgeState>;
  /** Show DNS, scrapes and probes too. */
  noise: boolean;
}

/** Edges of one state between two nodes, drawn as one line. */
export interface Bundle {
  id: string;
  source: string;
  target: string;
  state: EdgeState;
  denied: boolean;
  risky: boolean;
  edges: GraphEdge[];
  label: string;
  connections: number;
}

export interface View {
  nodes: GraphNode[];
  bundles: Bundle[];
  /** Edges by state before the state filter, infrastructure left out where it is hidden. */
  counts: Record<EdgeState, number>;
  /** Infrastructure edges that the switch hides or would hide. */
  noise: number;
  /** By node: which infrastructure is folded into its badge. */
  badges: Map<string, Map<string, number>>;
}

/** The name of the box that a node stands in; callers are the outside ones that only call in. */
export function groupOf(n: GraphNode, callers: ReadonlySet<string>): string {
  if (n.kind === 'outside') return callers.has(n.id) ? '~callers' : '~outside';
  if (n.kind === 'node') return '~nodes';
  return n.namespace ?? n.label;
}

const groupTitles: Record<string, string> = {
  '~callers': 'Calling from outside',
  '~outside': 'Outside the cluster',
  '~nodes': 'Nodes',
};
export const groupTitle = (group: string) => groupTitles[group] ?? group;

/** The nodes that something goes out from and nothing goes to. */
export function callersOf(bundles: Bundle[]): Set<string> {
  const callers = new Set(bundles.map((b) => b.source));
  for (const b of bundles) callers.delete(b.target);
  return callers;
}

/** Whether an edge is infrastructure that may be folded; what stands out never is. */
const foldable = (e: GraphEdge) =>
  e.noise !== undefined && (e.state === 'allowed' || e.state === 'unused') && !e.denied && !e.risky;

const nodeText = (n: GraphNode) =>
  [n.label, n.namespace, n.party?.workloadKind, ...(n.addresses ?? [])].join(' ').toLowerCase();

function matcher(graph: Graph, text: string) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const texts = new Map(graph.nodes.map((n) => [n.id, nodeText(n)]));
  const edgeText = (e: GraphEdge) =>
    [
      texts.get(e.source),
      texts.get(e.target),
      `${e.protocol} ${e.port}`.toLowerCase(),
      e.state,
      ...(e.processes ?? []),
    ].join(' ');
  return {
    active: words.length > 0,
    node: (n: GraphNode) => words.every((w) => texts.get(n.id)?.includes(w)),
    edge: (e: GraphEdge) => {
      const all = edgeText(e);
      return words.every((w) => all.includes(w));
    },
  };
}

export function portsLabel(edges: GraphEdge[]): string {
  const names = [...new Set(edges.map(portName))];
  return names.length <= 3
    ? names.join(', ')
    : `${names.slice(0, 2).join(', ')} +${names.length - 2}`;
}

/** A port as short as it is clear: 5432, 53/UDP, ICMP, "any port". */
export function portName(e: GraphEdge): string {
  if (e.portText) return e.portText.replace(/^TCP /, '');
  if (!e.port) return e.protocol;
  return e.protocol === 'TCP' ? String(e.port) : `${e.port}/${e.protocol}`;
}

function bundle(edges: GraphEdge[]): Bundle[] {
  const bundles = new Map<string, Bundle>();
  for (const e of edges) {
    const id = `${e.source}|${e.target}|${e.state}`;
    const b = bundles.get(id);
    if (b) {
      b.edges.push(e);
      b.connections += e.connections;
      b.denied ||= e.denied;
      b.risky ||= e.risky;
    } else {
      const { source, target, state, denied, risky, connections } = e;
      bundles.set(id, {
        id,
        source,
        target,
        state,
        denied,
        risky,
        connections,
        edges: [e],
        label: '',
      });
    }
  }
  for (const b of bundles.values()) b.label = portsLabel(b.edges);
  return [...bundles.values()];
}

/** From how many folded edges on a node is a hub of them, and has a badge. */
const hub = 3;

function badgesOf(edges: GraphEdge[]) {
  const badges = new Map<string, Map<string, number>>();
  for (const e of edges) {
    for (const id of [e.source, e.target]) {
      const of = badges.get(id) ?? new Map<string, number>();
      of.set(e.noise ?? '', (of.get(e.noise ?? '') ?? 0) + 1);
      badges.set(id, of);
    }
  }
  for (const [id, of] of badges) {
    for (const [kind, many] of of) if (many < hub) of.delete(kind);
    if (of.size === 0) badges.delete(id);
  }
  return badges;
}

export function viewOf(graph: Graph, filter: Filter): View {
  const match = matcher(graph, filter.text);
  const found = match.active ? graph.edges.filter(match.edge) : graph.edges;
  const folded = found.filter(foldable);
  const shown = filter.noise ? found : found.filter((e) => !foldable(e));
  const counts = { allowed: 0, unseen: 0, denied: 0, unused: 0 };
  for (const e of shown) counts[e.state] += e.count;
  const bundles = bundle(shown.filter((e) => filter.states.has(e.state)));
  const touched = new Set(bundles.flatMap((b) => [b.source, b.target]));
  const nodes = graph.nodes.filter((n) => {
    if (touched.has(n.id) || (match.active && match.node(n))) return true;
    // What has only folded or filtered edges stays, unless one searches; an
    // outside address or a node without any edge to draw would be a bare box.
    return !match.active && n.kind !== 'outside' && n.kind !== 'node';
  });
  return {
    nodes,
    bundles,
    counts,
    noise: folded.reduce((sum, e) => sum + e.count, 0),
    badges: filter.noise ? new Map() : badgesOf(folded),
  };
}

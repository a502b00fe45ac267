// SPDX-License-Identifier: Apache-2.0
// From the server's graph to what is drawn: filtered, and parallel edges bundled.
import type { EdgeState, Graph, GraphEdge, GraphNode } from '../api/types';
import { groupBy } from './groupBy';

export type EdgeChange = NonNullable<GraphEdge['change']>;
/** How a line is drawn: its state, or how it changed where two windows are compared. */
export type Look = EdgeState | 'risky' | EdgeChange;

export const states: EdgeState[] = ['allowed', 'unseen', 'denied', 'unused'];
export const stateLooks: Look[] = ['allowed', 'risky', 'unseen', 'denied', 'unused'];
export const changeLooks: Look[] = ['same', 'changed', 'new', 'gone'];

interface Words {
  name: string;
  sign: string;
  help: string;
}

/** What each state is called and how it is told without colour. */
export const stateWords: Record<EdgeState, Words> = {
  allowed: { name: 'Allowed', sign: '→', help: 'Seen, and the policies allow it' },
  unseen: {
    name: 'Unseen before',
    sign: '!',
    help: 'Began after the learning period; nobody accepted it',
  },
  denied: { name: 'Denied', sign: '✕', help: 'Tried, and a policy or the kernel cuts it' },
  unused: { name: 'Unused', sign: '◌', help: 'A policy allows it and nobody uses it' },
};

export const lookWords: Record<Look, Words> = {
  ...stateWords,
  risky: {
    name: 'Risky',
    sign: '▲',
    help: 'Leads where few have business: a node’s own ports, credentials, the API server',
  },
  new: { name: 'New', sign: '+', help: 'Was not there in the earlier window' },
  gone: { name: 'Gone', sign: '−', help: 'Was there in the earlier window only' },
  changed: { name: 'Changed', sign: '±', help: 'Another verdict, or twice or half the rate' },
  same: { name: 'As before', sign: '=', help: 'Much the same in both windows' },
};

/** The weightiest are drawn last, on top. */
export const lookWeights: Record<Look, number> = {
  ...{
    allowed: 0,
    same: 0,
    unused: 1,
    gone: 2,
    denied: 2,
    changed: 3,
    risky: 4,
    unseen: 5,
    new: 5,
  },
};

export function lookOf(e: GraphEdge): Look {
  if (e.change) return e.change;
  return e.risky ? 'risky' : e.state;
}

export interface Filter {
  shown: ReadonlySet<Look>;
  /** Show DNS, scrapes and probes too. */
  noise: boolean;
}

/** Edges of one look between two nodes, drawn as one line. */
export interface Bundle {
  id: string;
  source: string;
  target: string;
  look: Look;
  state: EdgeState;
  denied: boolean;
  risky: boolean;
  edges: GraphEdge[];
  /** How many edges the line stands for, folded ones too. */
  count: number;
  label: string;
  connections: number;
}

export interface View {
  nodes: GraphNode[];
  bundles: Bundle[];
  /** Edges by look before the filter by look, infrastructure left out where it is hidden. */
  counts: Record<Look, number>;
  /** Infrastructure edges that the switch hides or would hide. */
  noise: number;
  /** The same by kind. */
  noises: Map<string, number>;
  /** By node: which infrastructure is folded into its badge. */
  badges: Map<string, Map<string, number>>;
  comparing: boolean;
}

/** Groups of which each has one node alone and no box of its own. */
export const alone = (group: string) => group.startsWith('=');

/** The name of the box that a node stands in; callers are the outside ones that only call in. */
export function groupOf(n: GraphNode, callers: ReadonlySet<string>): string {
  if (n.elsewhere) return `~cluster:${n.elsewhere.split('/')[0]}`;
  if (n.role === 'control-plane') return '~control';
  switch (n.kind) {
    case 'outside':
      return callers.has(n.id) ? '~callers' : '~outside';
    case 'node':
      return '~nodes';
    case 'namespace':
    case 'nodes':
      return `=${n.id}`;
    default:
      return n.namespace ?? n.label;
  }
}

const groupTitles: Record<string, string> = {
  '~callers': 'Calling from outside',
  '~outside': 'Outside the cluster',
  '~nodes': 'Nodes',
  '~control': 'Control plane',
};
export const groupTitle = (group: string) =>
  group.startsWith('~cluster:') ? `Cluster ${group.slice(9)}` : (groupTitles[group] ?? group);

/** The nodes that something goes out from and nothing goes to. */
export function callersOf(bundles: Bundle[]): Set<string> {
  const callers = new Set(bundles.map((b) => b.source));
  for (const b of bundles) callers.delete(b.target);
  return callers;
}

/** Whether an edge is infrastructure that may be folded; what stands out never is. */
const foldable = (e: GraphEdge) =>
  e.noise !== undefined &&
  (e.state === 'allowed' || e.state === 'unused') &&
  !e.denied &&
  !e.risky &&
  (e.change === undefined || e.change === 'same');

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

function labelOf(b: Bundle): string {
  return b.count > b.edges.length ? `${b.count} edges` : portsLabel(b.edges);
}

function bundle(edges: GraphEdge[]): Bundle[] {
  const bundles = new Map<string, Bundle>();
  for (const e of edges) {
    const look = lookOf(e);
    const id = `${e.source}|${e.target}|${look}`;
    const b = bundles.get(id);
    if (b) {
      b.edges.push(e);
      b.count += e.count;
      b.connections += e.connections;
      b.denied ||= e.denied;
      b.risky ||= e.risky;
    } else {
      const { source, target, state, denied, risky, connections, count } = e;
      bundles.set(id, {
        ...{ id, source, target, look, state, denied, risky, connections, count },
        ...{ edges: [e], label: '' },
      });
    }
  }
  for (const b of bundles.values()) b.label = labelOf(b);
  return [...bundles.values()];
}

/** From how many folded edges on a node is a hub of them, and has a badge. */
const hub = 3;

function badgesOf(edges: GraphEdge[]) {
  const badges = new Map<string, Map<string, number>>();
  const byNode = groupBy(
    edges.flatMap((e) => [e.source, e.target].map((id) => ({ id, e }))),
    ({ id, e }) => `${e.noise}|${id}`,
  );
  for (const [key, list] of byNode) {
    if (list.length < hub) continue;
    const [kind = ''] = key.split('|', 1);
    const id = key.slice(kind.length + 1);
    const of = badges.get(id) ?? new Map<string, number>();
    of.set(
      kind,
      list.reduce((sum, { e }) => sum + e.count, 0),
    );
    badges.set(id, of);
  }
  return badges;
}

const none = (): Record<Look, number> => ({
  ...{ allowed: 0, risky: 0, unseen: 0, denied: 0, unused: 0 },
  ...{ new: 0, gone: 0, changed: 0, same: 0 },
});

export function viewOf(graph: Graph, filter: Filter, searching = false): View {
  const folded = graph.edges.filter(foldable);
  const shown = filter.noise ? graph.edges : graph.edges.filter((e) => !foldable(e));
  const counts = none();
  for (const e of shown) counts[lookOf(e)] += e.count;
  const bundles = bundle(shown.filter((e) => filter.shown.has(lookOf(e))));
  const touched = new Set(bundles.flatMap((b) => [b.source, b.target]));
  // What has only folded or filtered edges stays; an outside address or a node
  // without any edge to draw would be a bare box, unless one searched for it.
  const stays = (n: GraphNode) =>
    searching || !['outside', 'node', 'nodes'].includes(n.kind) ? n.kind !== 'outside' : false;
  const noises = new Map<string, number>();
  for (const e of folded) noises.set(e.noise ?? '', (noises.get(e.noise ?? '') ?? 0) + e.count);
  return {
    nodes: graph.nodes.filter((n) => touched.has(n.id) || stays(n)),
    bundles,
    counts,
    noise: folded.reduce((sum, e) => sum + e.count, 0),
    noises,
    badges: filter.noise ? new Map() : badgesOf(folded),
    comparing: graph.before !== undefined,
  };
}

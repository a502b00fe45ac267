// SPDX-License-Identifier: Apache-2.0
// A recommender for component tests: fetch answers from the fixtures.
import { vi } from 'vitest';
import * as alerts from '../fixture/alerts';
import * as data from '../fixture/data';

export type Answers = Record<string, { status?: number; body: unknown; etag?: string }>;

export const fixtures: Answers = {
  status: { body: data.status },
  graph: { body: data.graph },
  edges: { body: data.edgeList },
  workloads: { body: { meta: data.graph.meta, items: [] } },
  policies: { body: data.policies },
  findings: { body: data.findings },
  recommendations: { body: data.recommendations },
  coverage: { body: data.coverage },
  replay: { body: data.replay },
  alerts: { body: alerts.alerts },
  [`alerts/${alerts.open.id}`]: { body: alerts.answer(alerts.open) },
  [`alerts/${alerts.slow.id}`]: { body: alerts.answer(alerts.slow) },
  decisions: { body: alerts.trail },
  silences: { body: alerts.silences },
};

/** Makes fetch answer; gives the addresses that were asked for, in order. */
export function serve(answers: Answers): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (input: string, init?: RequestInit) => {
    const url = new URL(input, 'http://page');
    asked.push(url.pathname + url.search);
    const route = url.pathname.replace('/api/v1/', '');
    const evidence = route.startsWith('edges/')
      ? data.evidence(decodeURIComponent(route.slice(6)))
      : undefined;
    const answer = answers[route] ?? (evidence && { body: evidence });
    if (!answer) return problem(404, `no ${route}`);
    const known = new Headers(init?.headers).get('If-None-Match');
    if (answer.etag && known === answer.etag) return new Response(null, { status: 304 });
    if (answer.status) return problem(answer.status, String(answer.body));
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (answer.etag) headers.etag = answer.etag;
    return new Response(JSON.stringify(only(answer.body, url.searchParams)), { headers });
  });
  return asked;
}

/** A list with only the items that are asked for. */
function only(body: unknown, query: URLSearchParams): unknown {
  const { items } = body as { items?: { id: string; kind?: string }[] };
  const [id, kind] = [query.get('id'), query.get('kind')];
  if (!items || !(id || kind)) return body;
  const left = items.filter((i) => (!id || i.id === id) && (!kind || i.kind === kind));
  return { ...(body as object), items: left, total: left.length };
}

const problem = (status: number, detail: string) =>
  new Response(JSON.stringify({ title: 'Problem', status, detail }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  });

export const go = (path: string) => window.history.replaceState(null, '', path);

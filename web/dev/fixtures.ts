// SPDX-License-Identifier: Apache-2.0
// Answers /api/v1 from src/fixture in `npm run dev` and `vite preview`.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'vite';
import * as alerts from '../src/fixture/alerts';
import * as data from '../src/fixture/data';

const bodies: Record<string, () => unknown> = {
  status: () => data.status,
  graph: () => data.graph,
  edges: () => data.edgeList,
  policies: () => data.policies,
  findings: () => data.findings,
  alerts: () => alerts.alerts,
  decisions: () => alerts.trail,
  silences: () => alerts.silences,
  replay: () => data.replay,
  recommendations: () => data.recommendations,
  coverage: () => data.coverage,
};

function answer(request: IncomingMessage, response: ServerResponse, next: () => void) {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (!url.pathname.startsWith('/api/v1/')) return next();
  const [route = '', id] = url.pathname.slice('/api/v1/'.length).split('/');
  if (route === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 60000\n\n');
    return;
  }
  if (route === 'session') return response.writeHead(204).end();
  const one = id ? decodeURIComponent(id) : undefined;
  const alert = alerts.alerts.items.find((a) => a.id === one);
  const body = alert ? alerts.answer(alert) : one ? data.evidence(one) : bodies[route]?.();
  if (!body) {
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    return response.end(JSON.stringify({ title: 'Not found', status: 404, detail: `no ${route} here` }));
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export const fixtures = (): Plugin => ({
  name: 'netcinch-fixtures',
  configureServer: (server) => void server.middlewares.use((q, r, n) => void answer(q, r, n)),
  configurePreviewServer: (server) => void server.middlewares.use((q, r, n) => void answer(q, r, n)),
});

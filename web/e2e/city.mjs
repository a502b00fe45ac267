// SPDX-License-Identifier: Apache-2.0
// A generated cluster as one finds them, for tests and measurements: a hundred
// namespaces of twenty workloads that mostly talk within their own and to a few
// others, name resolution, scrapes, a few peers outside and in another cluster,
// some attempts that are denied and some that are new. The same every time.
//
// node e2e/city.mjs FOLDER [NAMESPACES] writes it to FOLDER/manifests and FOLDER/flows.jsonl.
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const each = 20; // workloads of a namespace
const hours = 24;
const begin = Date.parse('2026-03-02T00:00:00Z');
/** New edges begin after this hour; the recommender is started with this learning period. */
export const learning = `${hours / 2}h`;

const words =
  'cart ledger search stock quote route claim fleet badge parcel ticket menu audit price media'.split(
    ' ',
  );
const roles =
  'web api worker cache db queue mailer report sync index auth session feed store batch proxy hook rules stats admin'.split(
    ' ',
  );

/** Mulberry32: small, and the same numbers everywhere. */
function dice(seed) {
  let a = seed;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return (n) => Math.floor(next() * n);
}

const space = (n) => `${words[n % words.length]}-${String(n).padStart(3, '0')}`;
const kindOf = (role) => (['cache', 'db', 'queue'].includes(role) ? 'StatefulSet' : 'Deployment');
const portOf = (role) => ({ db: 5432, cache: 6379, queue: 5672 })[role] ?? 8080;
const workload = (namespace, role) => ({ namespace, workload: { kind: kindOf(role), name: role } });

function workloadObject(namespace, name, labels, port) {
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: 'main', ports: [{ name: 'main', containerPort: port }] }] },
  };
  return {
    apiVersion: 'apps/v1',
    kind: kindOf(name),
    metadata: { namespace, name },
    spec: { selector: { matchLabels: labels }, template },
  };
}

function policy(namespace, name, app, ingress) {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'], ingress },
  };
}

function objects(namespaces) {
  const out = [];
  const add = (name) =>
    out.push({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    });
  for (let n = 0; n < 40; n++) {
    const labels = n < 3 ? { 'node-role.kubernetes.io/control-plane': '' } : {};
    const addresses = [{ type: 'InternalIP', address: `192.0.2.${n + 1}` }];
    out.push({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${n}`, labels },
      status: { addresses },
    });
  }
  add('kube-system');
  add('monitoring');
  out.push(workloadObject('kube-system', 'coredns', { app: 'coredns' }, 53));
  out.push(workloadObject('monitoring', 'prometheus', { app: 'prometheus' }, 9090));
  for (let n = 0; n < namespaces; n++) {
    const name = space(n);
    add(name);
    for (const role of roles)
      out.push(
        workloadObject(name, role, { app: role, team: words[n % words.length] }, portOf(role)),
      );
    const own = [{ podSelector: {} }];
    const monitoring = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
    };
    const scraped = { from: [monitoring], ports: [{ port: 9100 }] };
    for (const role of ['db', 'cache', 'queue']) {
      out.push(
        policy(name, role, role, [
          { from: own, ports: [{ port: portOf(role) }, { port: 9187 }] },
          scraped,
        ]),
      );
    }
    out.push(
      policy(name, 'api', 'api', [
        { from: [...own, { namespaceSelector: {} }], ports: [{ port: 8080 }, { port: 8443 }] },
        scraped,
      ]),
    );
  }
  return out;
}

/** Edges as [client, server, protocol, port, outcome, is new]. */
function edges(namespaces) {
  const roll = dice(7);
  const dns = workload('kube-system', 'coredns');
  const scraper = workload('monitoring', 'prometheus');
  const out = [];
  const add = (client, server, port, more = {}) =>
    out.push({
      client,
      server,
      protocol: 'TCP',
      port,
      outcome: 'established',
      fresh: false,
      ...more,
    });
  for (let n = 0; n < namespaces; n++) {
    const own = space(n);
    const near = [1, 2, 5].map((step) => space((n + step) % namespaces));
    roles.forEach((role, w) => {
      const me = workload(own, role);
      add(me, dns, 53, { protocol: 'UDP' });
      add(scraper, me, 9100);
      const other = roles[(w + 1 + roll(6)) % each];
      add(me, workload(own, other), portOf(other));
      if (w % 5 > 1) add(me, workload(own, 'db'), 5432);
      if (w % 4 === 0) add(me, workload(near[roll(3)], 'api'), 8080);
    });
    add({ ip: `198.51.${n % 100}.${1 + roll(250)}` }, workload(own, 'web'), 8080);
    add(
      workload(own, 'sync'),
      { ip: `203.0.113.${1 + (n % 250)}`, dns: `bucket-${n}.store.cloud.example` },
      443,
    );
    if (n % 5 === 0)
      add(workload(own, 'hook'), { ip: `10.200.0.${n}`, elsewhere: 'europe/ledger-001/api' }, 8080);
    if (n % 10 === 0)
      add(workload(own, 'stats'), workload(space((n + 3) % namespaces), 'db'), 5432, {
        outcome: 'unanswered',
      });
    if (n % 14 === 0) add(workload(own, 'batch'), workload(near[0], 'api'), 8080, { fresh: true });
    if (n % 33 === 0)
      add(workload(own, 'admin'), { node: `node-${n % 40}` }, 10250, { fresh: true });
  }
  return out;
}

/** Writes the cluster below a folder; gives what netcinch serve takes. */
export async function build(folder, namespaces = 100) {
  const manifests = join(folder, 'manifests');
  await mkdir(manifests, { recursive: true });
  const text = objects(namespaces)
    .map((o) => JSON.stringify(o))
    .join('\n---\n');
  await writeFile(join(manifests, 'city.yaml'), `${text}\n`);
  const flows = join(folder, 'flows.jsonl');
  const file = createWriteStream(flows);
  const roll = dice(11);
  const all = edges(namespaces);
  for (let hour = 0; hour < hours; hour++) {
    const start = new Date(begin + hour * 3600e3).toISOString();
    const end = new Date(begin + (hour + 1) * 3600e3).toISOString();
    for (const { fresh, ...edge } of all) {
      const connections = 1 + roll(400);
      const talks = fresh ? hour >= hours - 3 : hour < 2 || roll(4) === 0;
      if (!talks) continue;
      const counts = {
        connections,
        bytesSent: connections * 700,
        bytesReceived: connections * 4100,
        packetsSent: connections * 8,
        packetsReceived: connections * 9,
      };
      file.write(
        `${JSON.stringify({ schema: 'netcinch.flow/v1', start, end, ...edge, ...counts })}\n`,
      );
    }
  }
  file.end();
  await finished(file);
  return { manifests, flows, edges: all.length, workloads: namespaces * each + 2 };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, namespaces] = process.argv.slice(2);
  if (!folder) throw new Error('usage: node e2e/city.mjs FOLDER [NAMESPACES]');
  process.stdout.write(`${JSON.stringify(await build(folder, Number(namespaces ?? 100)))}\n`);
}

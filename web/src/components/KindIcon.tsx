// SPDX-License-Identifier: Apache-2.0
// One small drawing for each kind of endpoint, told apart by shape.
const shapes: Record<string, string> = {
  Deployment: 'M3 5.5h7v7H3zM6 5.5V3h7v7h-2.5',
  StatefulSet:
    'M3 4.2C3 2.9 13 2.9 13 4.2v7.6c0 1.3-10 1.3-10 0zM3 4.2c0 1.3 10 1.3 10 0M3 8c0 1.3 10 1.3 10 0',
  DaemonSet: 'M8 2.5l4.8 2.75v5.5L8 13.5l-4.8-2.75v-5.5zM8 6v4M6 8h4',
  CronJob: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3l2 1.5',
  Job: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM6.5 5.8v4.4L10.3 8z',
  Pod: 'M8 2.5l4.8 2.75v5.5L8 13.5l-4.8-2.75v-5.5zM3.2 5.25L8 8l4.8-2.75M8 8v5.5',
  node: 'M2.5 3.5h11v4h-11zM2.5 8.5h11v4h-11zM5 5.5h.01M5 10.5h.01',
  outside:
    'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM2.5 8h11M8 2.5c-3.5 3.5-3.5 7.5 0 11 3.5-3.5 3.5-7.5 0-11z',
  namespace: 'M2.5 4.5v8h11v-6.5H8L6.5 4.5z',
};

export function KindIcon({ kind, size = 16 }: { kind: string; size?: number }) {
  return (
    <svg className="kind-icon" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
      <path d={shapes[kind] ?? shapes.Deployment} />
    </svg>
  );
}

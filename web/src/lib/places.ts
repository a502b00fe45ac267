// SPDX-License-Identifier: Apache-2.0
// The pages by address. A page that gets another address leaves the old one in
// moved, so that bookmarks go on leading there; parameters that a page does not
// know are left alone.

export const places = [
  { path: '/map', name: 'Map' },
  { path: '/alerts', name: 'Alerts' },
  { path: '/findings', name: 'Findings', count: 'findings' },
  { path: '/policies', name: 'Policies', count: 'policies' },
  { path: '/recommendations', name: 'Recommendations', count: 'recommendations' },
  { path: '/what-if', name: 'What if' },
  { path: '/coverage', name: 'Coverage' },
] as const;

export type Path = (typeof places)[number]['path'];

const moved: Record<string, Path> = {
  '/': '/map',
  '/graph': '/map',
  '/index.html': '/map',
  '/usage': '/policies',
  '/policy': '/policies',
  '/advice': '/recommendations',
  '/recommendation': '/recommendations',
  '/replay': '/what-if',
  '/whatif': '/what-if',
  '/nodes': '/coverage',
};

/** Where an address leads now; undefined where there is and was no page. */
export function placeOf(path: string): Path | undefined {
  const plain = path.length > 1 ? path.replace(/\/+$/, '').toLowerCase() : path;
  const within = places.find((p) => plain === p.path || plain.startsWith(`${p.path}/`));
  return within?.path ?? moved[plain];
}

/** What an address names below its page: /alerts/0123 names 0123. */
export const belowOf = (path: string) => decodeURIComponent(path.split('/')[2] ?? '');

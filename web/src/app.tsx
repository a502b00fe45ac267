// SPDX-License-Identifier: Apache-2.0
import { lazy, Suspense, useEffect } from 'react';
import type { Status } from './api/types';
import { type Resource, useResource } from './api/useResource';
import { Link } from './components/bits';
import { Shell } from './components/Shell';
import { SignIn } from './components/SignIn';
import { Empty, Loading } from './components/State';
import { placeOf } from './lib/places';
import { redirect, useLocation } from './lib/router';
import { useZone } from './lib/zone';
import { MapPage } from './pages/map/MapPage';

const Alerts = lazy(() => import('./pages/alerts/Alerts').then((m) => ({ default: m.Alerts })));
const Findings = lazy(() => import('./pages/Findings').then((m) => ({ default: m.Findings })));
const Policies = lazy(() => import('./pages/Policies').then((m) => ({ default: m.Policies })));
const Recommendations = lazy(() =>
  import('./pages/Recommendations').then((m) => ({ default: m.Recommendations })),
);
const WhatIf = lazy(() => import('./pages/whatif/WhatIf').then((m) => ({ default: m.WhatIf })));
const CoveragePage = lazy(() =>
  import('./pages/CoveragePage').then((m) => ({ default: m.CoveragePage })),
);

function Page({ path, status }: { path: string; status: Status | undefined }) {
  switch (placeOf(path)) {
    case '/map':
      return <MapPage status={status} />;
    case '/alerts':
      return <Alerts status={status} />;
    case '/findings':
      return <Findings status={status} />;
    case '/policies':
      return <Policies />;
    case '/recommendations':
      return <Recommendations status={status} />;
    case '/what-if':
      return <WhatIf />;
    case '/coverage':
      return <CoveragePage status={status} />;
    default:
      return (
        <Empty title="There is no such page" icon="?">
          <Link to="/map" className="button primary">
            To the map
          </Link>
        </Empty>
      );
  }
}

export function App() {
  const { path, params } = useLocation();
  useZone(); // every time on the page is written anew
  const status: Resource<Status> = useResource('status', {
    cluster: params.get('cluster') ?? undefined,
  });
  useEffect(() => {
    const place = placeOf(path);
    if (place && !path.startsWith(place)) redirect(place + window.location.search);
  }, [path]);
  if (status.error?.status === 401) return <SignIn done={status.reload} />;
  return (
    <Shell status={status}>
      <Suspense fallback={<Loading what="the page" />}>
        <Page path={path} status={status.data} />
      </Suspense>
    </Shell>
  );
}

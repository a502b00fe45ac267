// SPDX-License-Identifier: Apache-2.0
import { Switch, ToggleButton } from 'react-aria-components';
import type { Graph } from '../../api/types';
import { count, plural } from '../../lib/format';
import {
  changeLooks,
  type Filter,
  type Look,
  lookWords,
  stateLooks,
  type View,
} from '../../lib/graph';
import { SearchBox } from './SearchBox';
import { setLevel, setMatrix, setNoise, setShown } from './useMapState';

function LookToggle({ look, filter, many }: { look: Look; filter: Filter; many: number }) {
  const { name, help, sign } = lookWords[look];
  const change = (on: boolean) => {
    const next = new Set(filter.shown);
    if (on) next.add(look);
    else next.delete(look);
    setShown(next);
  };
  return (
    <ToggleButton
      className="legend"
      data-look={look}
      isSelected={filter.shown.has(look)}
      onChange={change}
    >
      <svg
        width="26"
        height="10"
        viewBox="0 0 26 10"
        aria-hidden="true"
        className="legend-line"
        data-look={look}
      >
        <path d="M1 5H25" />
        {look === 'risky' && <path className="line-core" d="M1 5H25" />}
      </svg>
      {look !== 'allowed' && (
        <b className="legend-sign" aria-hidden="true">
          {sign}
        </b>
      )}
      <span title={help}>{name}</span> <span className="legend-count">{count(many)}</span>
    </ToggleButton>
  );
}

const noiseWords: Record<string, [string, string]> = {
  dns: ['name look-up', 'name look-ups'],
  scrape: ['scrape', 'scrapes'],
  probe: ['probe', 'probes'],
};

function NoiseSwitch({ view, filter }: { view: View; filter: Filter }) {
  const kinds = [...view.noises].map(([kind, many]) =>
    plural(many, ...(noiseWords[kind] ?? [kind, kind])),
  );
  const verb = filter.noise ? 'shown' : 'hidden';
  return (
    <Switch
      className="switch"
      isSelected={filter.noise}
      onChange={setNoise}
      data-testid="infra-switch"
    >
      <span className="switch-track" aria-hidden="true" />
      <span title={kinds.join(', ')}>
        DNS, scrapes, probes
        <span className="quiet" data-testid="infra-count">
          {' '}
          {count(view.noise)} {verb}
        </span>
      </span>
    </Switch>
  );
}

/** How far the map is folded, and whether it is a map or a matrix. */
function Detail({ graph, matrix }: { graph: Graph; matrix: boolean }) {
  const now = matrix ? 'matrix' : graph.level;
  const choices = [
    { id: 'namespace', name: 'Namespaces', go: () => setLevel('namespace') },
    { id: 'workload', name: 'Workloads', go: () => setLevel('workload') },
    { id: 'matrix', name: 'Matrix', go: () => setMatrix(true) },
  ];
  return (
    <fieldset className="detail-level">
      <legend className="hidden">What is drawn</legend>
      {choices.map((c) => (
        <ToggleButton
          key={c.id}
          className="segment"
          isSelected={now === c.id}
          data-testid={`level-${c.id}`}
          onChange={() => {
            if (matrix && c.id !== 'matrix') setMatrix(false);
            if (c.id === 'matrix' ? !matrix : graph.level !== c.id) c.go();
          }}
        >
          {c.name}
        </ToggleButton>
      ))}
    </fieldset>
  );
}

export function Toolbar({
  filter,
  view,
  graph,
  matrix,
  problem,
  notes,
  children,
}: {
  filter: Filter;
  view: View;
  graph: Graph;
  matrix: boolean;
  problem: string | undefined;
  notes: React.ReactNode;
  children: React.ReactNode;
}) {
  return (
    <div className="toolbar" role="toolbar" aria-label="What the map shows">
      <SearchBox problem={problem} />
      <div className="legends">
        {(view.comparing ? changeLooks : stateLooks).map((look) => (
          <LookToggle key={look} look={look} filter={filter} many={view.counts[look]} />
        ))}
      </div>
      <NoiseSwitch view={view} filter={filter} />
      {notes}
      <div className="toolbar-end">
        <Detail graph={graph} matrix={matrix} />
        {children}
      </div>
    </div>
  );
}

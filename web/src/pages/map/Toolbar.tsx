// SPDX-License-Identifier: Apache-2.0
import { Input, SearchField, Switch, ToggleButton } from 'react-aria-components';
import type { EdgeState } from '../../api/types';
import { count } from '../../lib/format';
import { type Filter, states, stateWords, type View } from '../../lib/graph';
import { setNoise, setStates, setText } from './useMapState';

function StateToggle({ state, filter, many }: { state: EdgeState; filter: Filter; many: number }) {
  const { name, help, sign } = stateWords[state];
  const change = (on: boolean) => {
    const next = new Set(filter.states);
    if (on) next.add(state);
    else next.delete(state);
    setStates(next);
  };
  return (
    <ToggleButton
      className="legend"
      data-state={state}
      isSelected={filter.states.has(state)}
      onChange={change}
      aria-label={`${name}: ${count(many)}. ${help}`}
    >
      <svg
        width="26"
        height="10"
        viewBox="0 0 26 10"
        aria-hidden="true"
        className="legend-line"
        data-state={state}
      >
        <path d="M1 5H25" />
      </svg>
      {state !== 'allowed' && (
        <b className="legend-sign" aria-hidden="true">
          {sign}
        </b>
      )}
      <span>{name}</span>
      <span className="legend-count">{count(many)}</span>
    </ToggleButton>
  );
}

export function Toolbar({
  filter,
  view,
  children,
}: {
  filter: Filter;
  view: View;
  children: React.ReactNode;
}) {
  return (
    <div className="toolbar" role="toolbar" aria-label="What the map shows">
      <SearchField
        className="search"
        aria-label="Search workloads, namespaces, ports, addresses, processes"
        value={filter.text}
        onChange={setText}
      >
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.4 3.4" />
        </svg>
        <Input placeholder="Search workload, port, address…" />
      </SearchField>
      <div className="legends">
        {states.map((state) => (
          <StateToggle key={state} state={state} filter={filter} many={view.counts[state]} />
        ))}
      </div>
      <Switch
        className="switch"
        isSelected={filter.noise}
        onChange={setNoise}
        data-testid="infra-switch"
      >
        <span className="switch-track" aria-hidden="true" />
        <span>
          DNS, scrapes, probes
          <span className="quiet" data-testid="infra-count">
            {' '}
            {count(view.noise)} {filter.noise ? 'shown' : 'folded'}
          </span>
        </span>
      </Switch>
      {children}
    </div>
  );
}

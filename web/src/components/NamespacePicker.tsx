// SPDX-License-Identifier: Apache-2.0
import { Button, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import type { WorkloadList } from '../api/types';
import { useResource } from '../api/useResource';
import { setParams, useLocation } from '../lib/router';

const all = '*';

/** Narrows each page to what has one end in a namespace. */
export function NamespacePicker() {
  const { params } = useLocation();
  const list = useResource<WorkloadList>('workloads');
  const names = [...new Set(list.data?.items.map((w) => w.party.namespace ?? '') ?? [])]
    .filter(Boolean)
    .sort();
  const chosen = params.get('namespace') ?? all;
  if (chosen !== all && !names.includes(chosen)) names.push(chosen);
  const items = [{ id: all, name: 'All namespaces' }, ...names.map((id) => ({ id, name: id }))];
  return (
    <Select
      className="select"
      aria-label="Namespace"
      selectedKey={chosen}
      onSelectionChange={(key) => setParams({ namespace: key === all ? undefined : String(key) })}
    >
      <Button className="button small">
        <SelectValue /> <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={items}>
          {(n) => (
            <ListBoxItem id={n.id} className="option">
              {n.name}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}

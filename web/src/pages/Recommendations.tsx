// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import {
  Button,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  SelectValue,
} from 'react-aria-components';
import type { Recommendation, RecommendationList, Status } from '../api/types';
import { useResource } from '../api/useResource';
import { Link, ReadyChip } from '../components/bits';
import { DownloadMenu, downloadOf, type Format, formats, offered } from '../components/Download';
import { More, Search, useShown } from '../components/More';
import { NextSteps } from '../components/NextSteps';
import { Empty, Loaded, Loading } from '../components/State';
import { plural, refText } from '../lib/format';
import { groupBy } from '../lib/groupBy';
import { type Change, setParams, useLocation, useScope } from '../lib/router';
import { Detail } from './RecommendationDetail';

function Item({ item, current }: { item: Recommendation; current: boolean }) {
  const state = item.readiness[0]?.state;
  return (
    <li>
      <Link
        to="/recommendations"
        change={{ id: item.id }}
        keep={['format', 'q', 'ready']}
        className="item"
        current={current}
        testId={`recommendation-${item.policy.name}`}
      >
        <span className="item-title">
          <b>{item.policy.name}</b>
        </span>
        <span className="item-detail">
          {offered(item)
            ? {
                new: 'New policy',
                tighten: `Tighten · ${plural(item.changes.length, 'change')}`,
                none: '',
              }[item.kind]
            : 'Withheld'}
        </span>
        <span className="item-chips">
          {offered(item) && item.proof.holds && (
            <span className="chip" data-proof="true">
              <b aria-hidden="true">✓</b> Proved
            </span>
          )}
          {offered(item) && state && <ReadyChip state={item.ready ? 'ready' : state} />}
        </span>
      </Link>
    </li>
  );
}

function Group({
  name,
  items,
  chosen,
  params,
}: {
  name: string;
  items: Recommendation[];
  chosen: Recommendation | undefined;
  params: Change;
}) {
  const many = items.filter(offered).length;
  return (
    <section>
      <h2 className="list-group">
        {name || 'Cluster-wide'}
        {many > 0 && name && (
          <DownloadMenu
            params={{ ...params, namespace: name }}
            className="button tiny"
            label={`Download all of ${name}`}
            text={`↓ ${many} ▾`}
          />
        )}
      </h2>
      <ul>
        {items.map((r) => (
          <Item key={r.id} item={r} current={r === chosen} />
        ))}
      </ul>
    </section>
  );
}

function FormatPicker({ format, chosen }: { format: Format; chosen: Recommendation | undefined }) {
  const choose = (id: string) =>
    setParams({
      format: id === 'kubernetes' ? undefined : id,
      // Ids are of one format; what is for the same workload is found by its name.
      id: undefined,
      workload: chosen?.workloads[0],
    });
  return (
    <Select
      className="select format"
      selectedKey={format}
      onSelectionChange={(key) => choose(String(key))}
    >
      <Label>Format</Label>
      <Button className="button" data-testid="format">
        <SelectValue>{({ selectedText }) => selectedText}</SelectValue>{' '}
        <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={formats}>
          {(f) => (
            <ListBoxItem id={f.id} textValue={f.name} className="option">
              <b>{f.name}</b>
              <span className="option-text">{f.text}</span>
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}

function Waiting({ status }: { status: Status | undefined }) {
  return (
    <div className="page">
      <Empty title="No recommendation yet">
        <p>A workload gets its first recommendation once traffic of it was seen.</p>
        <NextSteps status={status} />
      </Empty>
    </div>
  );
}

function find(list: RecommendationList, params: URLSearchParams): Recommendation | undefined {
  const [id, policy, workload] = ['id', 'policy', 'workload'].map((name) => params.get(name));
  const { items } = list;
  return (
    items.find((r) => r.id === id) ??
    (policy ? items.find((r) => refText(r.policy) === policy) : undefined) ??
    (workload ? items.find((r) => offered(r) && r.workloads.includes(workload)) : undefined) ??
    items.find(offered) ??
    items[0]
  );
}

const rank = (r: Recommendation) => (offered(r) ? (r.kind === 'tighten' ? 0 : 1) : 2);

const states = {
  ready: { name: 'Ready', has: (r: Recommendation) => offered(r) && r.ready },
  waiting: { name: 'Not ready', has: (r: Recommendation) => offered(r) && !r.ready },
  withheld: { name: 'Withheld', has: (r: Recommendation) => !offered(r) },
};

function Filters({ list, chosen }: { list: RecommendationList; chosen: string }) {
  return (
    <section className="filters" aria-label="Which recommendations">
      {Object.entries(states).map(([key, { name, has }]) => {
        const many = list.items.filter(has).length;
        return many > 0 || chosen === key ? (
          <Button
            key={key}
            className="filter small"
            aria-pressed={chosen === key}
            onPress={() => setParams({ ready: chosen === key ? undefined : key }, true)}
          >
            {name} <span>{many}</span>
          </Button>
        ) : null;
      })}
    </section>
  );
}

/** What the list shows: in groups by namespace, what can be applied first. */
function useItems(list: RecommendationList, text: string, state: string) {
  return useMemo(() => {
    const wanted = text.toLowerCase();
    const has = states[state as keyof typeof states]?.has ?? (() => true);
    return list.items
      .filter(
        (r) =>
          has(r) &&
          [refText(r.policy), ...r.workloads].some((t) => t.toLowerCase().includes(wanted)),
      )
      .toSorted(
        (a, b) => (a.namespace ?? '').localeCompare(b.namespace ?? '') || rank(a) - rank(b),
      );
  }, [list, text, state]);
}

function Pages({
  list,
  format,
  status,
}: {
  list: RecommendationList;
  format: Format;
  status: Status | undefined;
}) {
  const { params } = useLocation();
  const { cluster, from, to, namespace } = useScope();
  const text = params.get('q') ?? '';
  const state = params.get('ready') ?? '';
  const chosen = find(list, params);
  const items = useItems(list, text, state);
  const { shown, more } = useShown(`${text} ${state} ${format}`);
  if (!chosen && format === 'kubernetes') return <Waiting status={status} />;
  const many = list.items.filter(offered).length;
  const download: Change = {
    cluster,
    from,
    to,
    format: format === 'kubernetes' ? undefined : format,
  };
  return (
    <div className="split">
      <nav className="list" aria-label="Recommendations">
        <h1>
          Recommendations <span className="quiet">{many}</span>
        </h1>
        <FormatPicker format={format} chosen={chosen} />
        {many > 0 && (
          <div className="joined">
            <a
              href={downloadOf({ ...download, namespace })}
              download
              className="button"
              data-testid="download-all"
            >
              ↓ Download all {many} as YAML
            </a>
            <DownloadMenu
              params={{ ...download, namespace }}
              className="button icon"
              label="Other ways to take all"
              text="▾"
            />
          </div>
        )}
        <Search
          label="Search recommendations"
          value={text}
          change={(q) => setParams({ q }, true)}
        />
        <Filters list={list} chosen={state} />
        {items.length === 0 && <p className="quiet">No recommendation is like that.</p>}
        {[...groupBy(items.slice(0, shown), (r) => r.namespace ?? '')].map(([name, some]) => (
          <Group key={name} name={name} items={some} chosen={chosen} params={download} />
        ))}
        <More
          shown={Math.min(shown, items.length)}
          total={items.length}
          more={more}
          what="recommendations"
        />
      </nav>
      {chosen ? (
        <Chosen key={chosen.id} id={chosen.id} params={download} />
      ) : (
        <Empty title="Nothing to say in this format">
          <p>Choose another format.</p>
        </Empty>
      )}
    </div>
  );
}

function Chosen({ id, params }: { id: string; params: Change }) {
  const one = useResource<RecommendationList>('recommendations', { ...params, id });
  return (
    <Loaded from={one} what="the recommendation">
      {({ items }) =>
        items[0] ? (
          <Detail item={items[0]} params={params} />
        ) : (
          <Loading what="the recommendation" />
        )
      }
    </Loaded>
  );
}

export function Recommendations({ status }: { status: Status | undefined }) {
  const { params } = useLocation();
  const wanted = params.get('format');
  const format = formats.find((f) => f.id === wanted)?.id ?? 'kubernetes';
  const list = useResource<RecommendationList>('recommendations', {
    ...useScope(),
    brief: 'true',
    format: format === 'kubernetes' ? undefined : format,
  });
  return (
    <Loaded from={list} what="recommendations">
      {(data) => <Pages list={data} format={format} status={status} />}
    </Loaded>
  );
}

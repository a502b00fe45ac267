// SPDX-License-Identifier: Apache-2.0
// One recommendation, a namespace's, or all: as a file, an archive, a kustomize
// directory, or a command.
import { useState } from 'react';
import { Button, Menu, MenuItem, MenuTrigger, Popover, Separator } from 'react-aria-components';
import { address, getText, type Params } from '../api/client';
import type { Recommendation } from '../api/types';

export type Format = 'kubernetes' | 'calico' | 'calico-staged' | 'cluster';
export const formats: { id: Format; name: string; text: string }[] = [
  { id: 'kubernetes', name: 'Kubernetes', text: 'NetworkPolicy, which every network takes' },
  { id: 'calico', name: 'Calico', text: "Calico's NetworkPolicy, with names of outside peers" },
  {
    id: 'calico-staged',
    name: 'Calico, staged',
    text: 'Enforces nothing: Calico tells what it would deny',
  },
  { id: 'cluster', name: 'Cluster-wide', text: 'ClusterNetworkPolicy: guard rails for all pods' },
];

/** A shell command that applies manifests with the caller's own rights. */
export const kubectl = (yaml: string) =>
  `kubectl apply -f - <<'${mark(yaml)}'\n${yaml.replace(/\n*$/, '\n')}${mark(yaml)}`;

/** A word to end the text with that is no line of it. */
function mark(yaml: string): string {
  let word = 'EOF';
  while (yaml.split('\n').includes(word)) word += '_';
  return word;
}

const ways = [
  { as: 'yaml', name: 'One YAML file' },
  { as: 'zip', name: 'Zip archive, a file each' },
  { as: 'kustomize', name: 'Kustomize directory' },
] as const;

export const downloadOf = (params: Params) => address('recommendations/download', params);

/** The ways to take recommendations away; params say which, and in what format. */
export function DownloadMenu({
  params,
  label,
  text,
  className = 'button',
}: {
  params: Params;
  label: string;
  text: string;
  className?: string;
}) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(kubectl(await getText(downloadOf(params))));
      setSaid('Copied ✓');
    } catch (error) {
      setSaid(`Not copied: ${(error as Error).message}`);
    }
    setTimeout(() => setSaid(''), 3000);
  };
  return (
    <MenuTrigger>
      <Button className={className} data-testid="download-menu">
        <span aria-hidden="true">{said || text}</span>
        <span className="hidden">{label}</span>
        <span className="hidden" aria-live="polite">
          {said}
        </span>
      </Button>
      <Popover className="popover">
        <Menu className="menu" aria-label={label}>
          {ways.map((w) => (
            <MenuItem
              key={w.as}
              id={w.as}
              className="option"
              href={downloadOf({ ...params, as: w.as })}
              download=""
            >
              ↓ {w.name}
            </MenuItem>
          ))}
          <Separator className="separator" />
          <MenuItem id="copy" className="option" onAction={() => void copy()}>
            Copy as kubectl command
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

/** What goes into a download is only what is offered. */
export const offered = (r: Recommendation) => !r.withheld;

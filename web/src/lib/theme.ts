// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'react';

export type Theme = 'system' | 'light' | 'dark';
const key = 'netcinch.theme';

const stored = (): Theme => {
  const value = localStorage.getItem(key);
  return value === 'light' || value === 'dark' ? value : 'system';
};

const wantsDark = () => window.matchMedia?.('(prefers-color-scheme: dark)').matches ?? false;

function apply(theme: Theme) {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
}

/** The chosen theme, whether it is dark now, and how to change it. */
export function useTheme() {
  const [theme, setTheme] = useState<Theme>(stored);
  const [system, setSystem] = useState(wantsDark);
  useEffect(() => {
    const media = window.matchMedia?.('(prefers-color-scheme: dark)');
    const listen = () => setSystem(wantsDark());
    media?.addEventListener('change', listen);
    return () => media?.removeEventListener('change', listen);
  }, []);
  useEffect(() => {
    apply(theme);
    if (theme === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, theme);
  }, [theme]);
  return { theme, dark: theme === 'system' ? system : theme === 'dark', setTheme };
}

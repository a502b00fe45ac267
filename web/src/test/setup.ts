// SPDX-License-Identifier: Apache-2.0
import { cleanup, configure } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';
import { forgetResources } from '../api/useResource';

configure({ asyncUtilTimeout: 20_000 }); // a hang guard only: machines that build are busy

class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal('ResizeObserver', Observer);
// jsdom has no CSS object; ids in these tests need no more than this.
vi.stubGlobal('CSS', { escape: (text: string) => text.replace(/[^\w-]/g, (c) => `\\${c}`) });
Object.defineProperty(window, 'matchMedia', {
  value: () => ({ matches: false, addEventListener() {}, removeEventListener() {} }),
});

beforeEach(() => {
  forgetResources();
  localStorage.clear();
  window.history.replaceState(null, '', '/');
});
afterEach(cleanup);

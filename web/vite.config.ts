// SPDX-License-Identifier: Apache-2.0
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { fixtures } from './dev/fixtures';

// The page is served by the recommender. `npm run dev` serves it with the
// fixtures of src/fixture instead, or with a recommender named by NETCINCH_URL,
// whose page token is NETCINCH_TOKEN.
const upstream = process.env['NETCINCH_URL'];
const token = process.env['NETCINCH_TOKEN'];

export default defineConfig({
  plugins: [react(), ...(upstream ? [] : [fixtures()])],
  build: {
    target: 'es2023',
    cssTarget: 'chrome123',
    assetsInlineLimit: 0,
    manifest: true,
    chunkSizeWarningLimit: 900,
  },
  worker: { format: 'es' },
  server: upstream
    ? {
        proxy: {
          '/api': { target: upstream, changeOrigin: true, headers: { Authorization: `Bearer ${token}` } },
        },
      }
    : {},
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/test/setup.ts'],
    restoreMocks: true,
    testTimeout: 60_000, // a hang guard only: machines that build are busy
  },
});

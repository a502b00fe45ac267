// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'react';

/** The time in ms of the epoch, renewed every few seconds so that ages stay true. */
export function useNow(everyMs = 5000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/store/storetest"
)

func noon() time.Time { return storetest.Day.Add(12 * time.Hour) }

func openTest(t *testing.T, dir string) *Store {
	t.Helper()
	return openFolding(t, dir, 0)
}

func openFolding(t *testing.T, dir string, every time.Duration) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Resolution: storetest.Resolution, PodRetention: 48 * time.Hour, FoldEvery: every, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

// TestConformance runs the suite with counts that wait in memory, as they do
// most of the time, and with counts that are written behind every batch.
func TestConformance(t *testing.T) {
	for name, every := range map[string]time.Duration{"waiting": 0, "written": -1} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Tested {
				t.Helper()
				return openFolding(t, t.TempDir(), every)
			})
		})
	}
}

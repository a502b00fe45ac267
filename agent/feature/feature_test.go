// SPDX-License-Identifier: Apache-2.0

package feature

import (
	"errors"
	"testing"

	"github.com/netcinch/netcinch/agent/pagetest"
)

// TestKernelsPage holds docs/kernels.md to the list.
func TestKernelsPage(t *testing.T) {
	pagetest.Hold(t, "../../docs/kernels.md", "features", Markdown())
}

func TestEachFeatureSaysItself(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range All {
		if f.Name == "" || f.Kernel == "" || f.Lost == "" {
			t.Errorf("%+v: a feature has a name, a kernel and something that is lost without it", f)
		}
		if seen[f.Name] {
			t.Errorf("two features are called %s", f.Name)
		}
		seen[f.Name] = true
		if found, ok := Find(f.Name); !ok || found != f {
			t.Errorf("found %+v for %s", found, f.Name)
		}
	}
	if _, ok := Find("no such"); ok {
		t.Error("found a feature that is not there")
	}
	why := errors.New("why")
	if m := TCX.Without(why); m.Feature != TCX.Name || m.Lost != TCX.Lost || !errors.Is(m.Err, why) {
		t.Errorf("got %+v", m)
	}
}

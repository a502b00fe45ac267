// SPDX-License-Identifier: Apache-2.0

package app

import (
	"reflect"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/store"
)

// TestEachLossLowersCoverage: whatever an agent lost, and for whichever cause,
// the analysis is told.
func TestEachLossLowersCoverage(t *testing.T) {
	causes := reflect.TypeFor[store.Losses]()
	for i := range causes.NumField() {
		n := store.NodeCoverage{Node: "n1", FirstSeen: epoch, LastSeen: epoch.Add(time.Hour), Covered: time.Hour}
		reflect.ValueOf(&n.Losses).Elem().Field(i).SetUint(3)
		got := coverageOf([]store.NodeCoverage{n})
		if len(got) != 1 || got[0].Lost != 3 || got[0].Share != 1 {
			t.Errorf("%s: got %+v, want 3 lost of the whole time", causes.Field(i).Name, got)
		}
	}
}

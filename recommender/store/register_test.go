// SPDX-License-Identifier: Apache-2.0

package store

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestInForce(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 1, 0, minute, 0, 0, time.UTC) }
	trail := []Decision{
		{ID: "1", Cluster: "c", Finding: "accepted", Verdict: Accepted, At: at(1)},
		{ID: "2", Cluster: "c", Finding: "changed", Verdict: Accepted, At: at(1)},
		{ID: "3", Cluster: "c", Finding: "changed", Verdict: Rejected, At: at(2)},
		{ID: "4", Cluster: "c", Finding: "ended", Verdict: Accepted, At: at(1), Until: at(4)},
		{ID: "5", Cluster: "c", Finding: "reopened", Verdict: Rejected, At: at(1)},
		{ID: "6", Cluster: "c", Finding: "reopened", Verdict: Reopened, At: at(3)},
		{ID: "7", Cluster: "d", Finding: "accepted", Verdict: Rejected, At: at(4)},
	}
	for _, c := range []struct {
		minute int
		want   []string
	}{{0, nil}, {1, []string{"1", "2", "4", "5"}}, {2, []string{"1", "3", "4", "5"}}, {3, []string{"1", "3", "4"}}, {4, []string{"1", "3", "7"}}} {
		var got []string
		for _, d := range InForce(trail, at(c.minute)) {
			got = append(got, d.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("minute %d: %v, want %v", c.minute, got, c.want)
		}
	}
	if d := InForce(trail, at(9))[Subject{"c", "changed"}]; d.Verdict != Rejected {
		t.Errorf("the later decision does not hold: %+v of %v", d, slices.Collect(maps.Keys(InForce(trail, at(9)))))
	}
}

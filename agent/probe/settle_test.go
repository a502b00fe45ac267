// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"slices"
	"testing"
)

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{
		"0": {0}, "0-2": {0, 1, 2}, "0-1,4,6-7": {0, 1, 4, 6, 7}, "": nil, "x": nil, "0-": nil, "1,": nil, "-1": nil,
	} {
		got, err := parseCPUs(list)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: got %v, %v: want %v", list, got, err, want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"
)

func nowForTests() time.Time { return time.Now() }

// noSource has no view yet.
type noSource struct{}

func (noSource) View(context.Context, Span) (*View, error) { return nil, ErrNotReady }
func (noSource) Status(string) Status                      { return Status{} }
func (noSource) Now() time.Time                            { return time.Time{} }

func TestFilled(t *testing.T) {
	type inner struct {
		Names []string   `json:"names"`
		Addr  netip.Addr `json:"addr"`
		At    time.Time  `json:"at"`
	}
	type outer struct {
		inner2 []string
		List   []inner `json:"list"`
		One    *inner  `json:"one"`
		None   *inner  `json:"none,omitempty"`
		Lists  [][]int `json:"lists"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	given := outer{List: []inner{{Addr: netip.MustParseAddr("2001:db8::1"), At: at}}, One: &inner{}, Lists: [][]int{nil, {1}}}
	text, err := json.Marshal(filled(given))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"list":[{"names":[],"addr":"2001:db8::1","at":"2026-01-02T03:04:05Z"}],"one":{"names":[],"addr":"","at":"0001-01-01T00:00:00Z"},"lists":[[],[1]]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if given.List[0].Names != nil || given.One.Names != nil || given.inner2 != nil {
		t.Error("the value that was given was written to")
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		text string
		want time.Time
	}{
		{"", time.Time{}},
		{"-24h", now.Add(-24 * time.Hour)},
		{"-7d", now.Add(-7 * 24 * time.Hour)},
		{"-1h30m", now.Add(-90 * time.Minute)},
		{"0s", now},
		{"2026-03-01T09:00:00Z", time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)},
		{"2026-03-01T09:00:00+02:00", time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)},
	} {
		got, err := moment("from", test.text, now)
		if err != nil || !got.Equal(test.want) {
			t.Errorf("%q is %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"24h", "7d", "yesterday", "-", "-99999999999d", "2026-03-01"} {
		if got, err := moment("from", text, now); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, seed := range []string{"", "-24h", "-7d", "2026-03-01T09:00:00Z", "-1e9h", "d", "--1d", "\x00"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := moment("from", text, now)
		if err != nil {
			return
		}
		if _, fixed := time.Parse(time.RFC3339, text); fixed != nil && got.After(now) {
			t.Errorf("%q is after now: %v", text, got)
		}
	})
}

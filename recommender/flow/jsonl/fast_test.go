// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcinch/netcinch/recommender/flow"
)

const plain = `{"schema":"netcinch.flow/v1","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:01:00Z","client":{"namespace":"x",` +
	`"pod":"a-1","workload":{"kind":"Deployment","name":"a"},"ip":"10.0.0.1"},"server":{"ip":"2001:db8::1","dns":"a.example","node":"n"},` +
	`"protocol":"TCP","port":443,"connections":1,"bytesSent":18446744073709551615,"bytesReceived":0,"packetsSent":2,"packetsReceived":3,` +
	`"outcome":"dropped","reason":"R","service":"a/b:1","guessed":true,"atServer":{"connections":9}}`

// both reads a line in the two ways; fast may leave it to slow, but what it
// takes must be the same, error for error.
func both(tb testing.TB, text []byte) (tookFast bool) {
	tb.Helper()
	r := NewReader(strings.NewReader(""), "f")
	var l line
	if !r.parseFast(text, &l) {
		return false
	}
	quick, quickErr := r.finish(&l)
	slow, slowErr := r.parseSlow(text)
	if diff := cmp.Diff(slow, quick, cmpopts.EquateComparable(flow.Endpoint{}, flow.Edge{})); diff != "" {
		tb.Fatalf("%s\n(-slow +fast):\n%s", text, diff)
	}
	if (quickErr == nil) != (slowErr == nil) || quickErr != nil && quickErr.Error() != slowErr.Error() {
		tb.Fatalf("%s\nslow: %v\nfast: %v", text, slowErr, quickErr)
	}
	if len(r.unknown) > 0 {
		tb.Fatalf("%s\nfast took a line with unknown fields %v", text, r.unknown)
	}
	return true
}

// What a writer writes goes the fast way; what it never writes does not.
func TestFast(t *testing.T) {
	change := func(old, to string) string { return strings.Replace(plain, old, to, 1) }
	tests := []struct {
		text string
		fast bool
	}{
		{plain, true},
		{change(`{"schema"`, " { \"schema\""), true},
		{change(`"port":443`, `"port" : 443 `), true},
		{change(`true`, `false`), true},
		{change(`"outcome":"dropped"`, `"outcome":"lost"`), true}, // wrong, and found so
		{`{}`, true},
		{change(`443`, `70000`), false},
		{change(`443`, `0443`), false},
		{change(`443`, `443.0`), false},
		{change(`443`, `"443"`), false},
		{change(`443`, `null`), false},
		{change(`18446744073709551615`, `18446744073709551616`), false},
		{change(`"R"`, `"é"`), false},
		{change(`"R"`, `"\u0041"`), false},
		{change(`"reason":"R"`, `"reason":"R","reason":"S"`), false},
		{change(`"reason"`, `"raison"`), false},
		{change(`"kind"`, `"age":1,"kind"`), false},
		{change(`"dns"`, `"dms"`), false},
		{change(`"guessed":true`, `"guessed":1`), false},
		{change(`"connections":9`, `"connectons":9`), false},
		{plain + "}", false},
		{plain[:len(plain)-1], false},
		{change(`"port":443,`, `"port":443`), false},
		{``, false},
	}
	for _, tt := range tests {
		if got := both(t, []byte(tt.text)); got != tt.fast {
			t.Errorf("%s: fast %t, want %t", tt.text, got, tt.fast)
		}
	}
}

func FuzzFast(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(`{"port":0,"client":{},"workload":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) { both(t, text) })
}

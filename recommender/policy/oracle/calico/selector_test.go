// SPDX-License-Identifier: Apache-2.0

package calico

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/projectcalico/calico/libcalico-go/lib/selector/parser"

	"github.com/netcinch/netcinch/recommender/policy/selector"
)

var rounds = flag.Int("rounds", 300_000, "random selectors")

// pieces are what selectors are made of, and what they are broken with.
var pieces = []string{
	"a", "b", "tier", "in", "not", "has", "all", "x.y/z-1_2", "a == 'x'", `b != "y"`, "has(a)", "has( b )", "all()", "all( )", "global()",
	"a in {'x', 'y'}", "b not in {\"x\",}", "a in {}", "a contains 'x'", "a starts with 'x'", "b ends with \"y\"", "a startswith 'x'", "a notin {'x'}",
	"&&", "||", "!", "(", ")", "{", "}", ",", "==", "!=", "'x'", `"y"`, "'", " ", "\t", "\n", "=", "&", "|", "has(", "starts", "with", "%", "é",
}

func randomSelector(r *rand.Rand) string {
	if r.IntN(3) == 0 { // anything
		var b strings.Builder
		for range 1 + r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		return b.String()
	}
	return valid(r, 3)
}

// valid makes a selector that parses.
func valid(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return pieces[8+r.IntN(15)]
	}
	switch r.IntN(4) {
	case 0:
		return "!" + valid(r, depth-1)
	case 1:
		return "(" + valid(r, depth-1) + ")"
	case 2:
		return valid(r, depth-1) + " && " + valid(r, depth-1)
	default:
		return valid(r, depth-1) + "||" + valid(r, depth-1)
	}
}

var labelSets = []map[string]string{
	{}, {"a": "x"}, {"a": "y"}, {"a": ""}, {"b": "x"}, {"b": "y"}, {"a": "x", "b": "y"}, {"a": "xx", "b": "yx"}, {"a": "yx", "tier": "x"}, {"b": "xy", "x.y/z-1_2": "x"},
}

// compare holds our parser against Calico's: both parse or both refuse, and what
// parses matches the same labels, as it stands and as we print it.
func compare(t *testing.T, text string) (parsed bool) {
	t.Helper()
	theirs, theirErr := parser.Parse(text)
	ours, ourErr := selector.Parse(text)
	if (theirErr == nil) != (ourErr == nil) {
		t.Fatalf("%q: Calico says %v, we say %v", text, theirErr, ourErr)
	}
	if ourErr != nil {
		return false
	}
	printed, err := parser.Parse(ours.String())
	if err != nil {
		t.Fatalf("%q: Calico does not parse what we print, %q: %v", text, ours, err)
	}
	for _, labels := range labelSets {
		want := theirs.Evaluate(labels)
		if got := ours.Matches(labels); got != want || printed.Evaluate(labels) != want {
			t.Fatalf("%q on %v: Calico %v, we %v, as we print it (%s) %v", text, labels, want, got, ours, printed.Evaluate(labels))
		}
	}
	return true
}

func TestSelectors(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	parsed := 0
	for range *rounds {
		if compare(t, randomSelector(r)) {
			parsed++
		}
	}
	t.Logf("%d selectors, %d of them parse: 0 differences", *rounds, parsed)
	if parsed < *rounds/3 || parsed > *rounds*9/10 {
		t.Errorf("%d of %d parse; the test sees one side only", parsed, *rounds)
	}
}

func FuzzSelectors(f *testing.F) {
	for _, p := range pieces {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, text string) { compare(t, text) })
}

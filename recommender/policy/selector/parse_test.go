// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func labelsOf(text string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if k, v, ok := strings.Cut(part, "="); ok {
			out[k] = v
		}
	}
	return out
}

func TestParseAndMatch(t *testing.T) {
	for _, c := range []struct {
		text, shown string
		yes, no     []string
	}{
		{"", "all()", []string{"", "a=b"}, nil},
		{"  ", "all()", []string{"", "a=b"}, nil},
		{"all()", "all()", []string{""}, nil},
		{"all( )", "all()", []string{""}, nil},
		{"global()", "global()", []string{""}, nil},
		{"a == 'b'", `a == "b"`, []string{"a=b"}, []string{"", "a=c"}},
		{`a=="b"`, `a == "b"`, []string{"a=b"}, []string{"", "a=c"}},
		{"a != 'b'", `a != "b"`, []string{"", "a=c"}, []string{"a=b"}},
		{"a in {'b', \"c\",}", `a in {"b", "c"}`, []string{"a=b", "a=c"}, []string{"", "a=d"}},
		{"a in {}", `a in {}`, nil, []string{"", "a=d"}},
		{"a not in {'b'}", `a not in {"b"}`, []string{"", "a=d"}, []string{"a=b"}},
		{"a notin{'b'}", `a not in {"b"}`, []string{"", "a=d"}, []string{"a=b"}},
		{"a contains 'b'", `a contains "b"`, []string{"a=abc", "a=b"}, []string{"", "a=c"}},
		{"a starts with 'b'", `a starts with "b"`, []string{"a=bc"}, []string{"", "a=cb"}},
		{"a startswith'b'", `a starts with "b"`, []string{"a=bc"}, []string{"", "a=cb"}},
		{"a ends with 'b'", `a ends with "b"`, []string{"a=cb"}, []string{"", "a=bc"}},
		{"has(a)", "has(a)", []string{"a="}, []string{"", "b=1"}},
		{"has( a )", "has(a)", []string{"a=1"}, []string{""}},
		{"!has(a)", "!has(a)", []string{""}, []string{"a=1"}},
		{"!!has(a)", "has(a)", []string{"a=1"}, []string{""}},
		{"! ! !has(a)", "!has(a)", []string{""}, []string{"a=1"}},
		{"has(a) && has(b) || has(c)", "(has(a) && has(b)) || has(c)", []string{"a=1,b=1", "c=1"}, []string{"a=1", "b=1"}},
		{"has(a) || has(b) && has(c)", "has(a) || (has(b) && has(c))", []string{"a=1", "b=1,c=1"}, []string{"b=1"}},
		{"(has(a) || has(b)) && has(c)", "(has(a) || has(b)) && has(c)", []string{"a=1,c=1"}, []string{"a=1", "c=1"}},
		{"!a == 'b'", `!a == "b"`, []string{"", "a=c"}, []string{"a=b"}},
		{"!(has(a) && has(b))", "!(has(a) && has(b))", []string{"a=1"}, []string{"a=1,b=1"}},
		{"k8s.io/a-b_c == ''", `k8s.io/a-b_c == ""`, []string{"k8s.io/a-b_c="}, []string{""}},
		{"a == 'it\"s'", `a == 'it"s'`, []string{`a=it"s`}, nil},
		{"has == 'x'", `has == "x"`, []string{"has=x"}, []string{""}},
		{"not in {'x'} || in in {'y'}", `not in {"x"} || in in {"y"}`, []string{"not=x", "in=y"}, []string{""}},
		{"a\t==\t'b'", `a == "b"`, []string{"a=b"}, nil},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if e.String() != c.shown {
			t.Errorf("%q reads %q, want %q", c.text, e.String(), c.shown)
		}
		for _, l := range c.yes {
			if !e.Matches(labelsOf(l)) {
				t.Errorf("%q does not match %q", c.text, l)
			}
		}
		for _, l := range c.no {
			if e.Matches(labelsOf(l)) {
				t.Errorf("%q matches %q", c.text, l)
			}
		}
	}
}

func TestSyntaxErrorsNameTheColumn(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{"a = 'b'", "column 3: expected an operator after label \"a\""},
		{"a == b", "column 6: expected a string in quotes"},
		{"a == 'b", "column 6: the string that begins here has no closing '"},
		{"a in 'b'", "column 6: expected a set"},
		{"a in {'b'", "column 10: no closing } for the set; found end"},
		{"a in {'b' 'c'}", "column 11: no closing }"},
		{"a in {,}", "column 7: no closing }"},
		{"has(a", "column 6: no closing ) for has(a"},
		{"has()", "column 5: has( needs a label name"},
		{"all(", "column 5: no closing )"},
		{"(has(a)", "column 8: no closing ) for the parenthesis"},
		{"has(a) &&", "column 10: the selector ends where a test is expected"},
		{"has(a) & has(b)", "column 8: unexpected \"&\" after the selector's end"},
		{"has(a)) ", "column 7: unexpected \")\""},
		{"a", "column 2: expected an operator"},
		{"a == 'b'\n", "column 9: unexpected"},
		{"a starts 'b'", "column 3: expected an operator"},
		{"!", "column 2: the selector ends"},
		{"!= 'a'", "column 1: unexpected"},
		{"%", "column 1: unexpected \"%\"; expected a label name"},
		{strings.Repeat("(", 2000) + "all()" + strings.Repeat(")", 2000), "column 1002: more than 1000 levels"},
	} {
		_, err := Parse(c.text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.40q: got %v, want %s", c.text, err, c.want)
		}
	}
}

// FuzzParse: what parses prints as something that parses to the same, and
// matches as the index does.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "all()", "a == 'b' && !has(c) || d not in {'e', \"f\"}", "a contains 'b'", "!(a starts with 'x' || b ends with \"y\")", "global()", "a != ''", "((has(a)))"} {
		f.Add(text, "a=b,c=d")
	}
	f.Fuzz(func(t *testing.T, text, l string) {
		e, err := Parse(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "column ") {
				t.Errorf("%q: an error without column: %v", text, err)
			}
			return
		}
		shown := e.String()
		again, err := Parse(shown)
		if err != nil {
			t.Fatalf("%q prints as %q, which does not parse: %v", text, shown, err)
		}
		m := labelsOf(l)
		x := NewIndex()
		x.Add(3, m)
		x.Add(5, nil)
		got := x.Select(e, x.All())
		for member, labels := range map[int]map[string]string{3: m, 5: nil} {
			want := e.Matches(labels)
			if again.Matches(labels) != want || got.Has(member) != want {
				t.Errorf("%q on %v: %v, printed %v, index %v", text, labels, want, again.Matches(labels), got.Has(member))
			}
		}
	})
}

// Kubernetes selectors must match as Kubernetes' own library does.
func TestFromLabelsAgreesWithKubernetes(t *testing.T) {
	values := []string{"", "x", "y"}
	for _, op := range []metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"} {
		for _, v := range values {
			s := &metav1.LabelSelector{MatchLabels: map[string]string{"m": v}, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "k", Operator: op}}}
			if op == "In" || op == "NotIn" {
				s.MatchExpressions[0].Values = []string{v, "z"}
			}
			judge, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			e, err := FromLabels(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range []string{"", "m=x", "m=", "m=x,k=x", "m=,k=", "m=y,k=z", "k=x", "m=x,k=y"} {
				if got, want := e.Matches(labelsOf(l)), judge.Matches(labels.Set(labelsOf(l))); got != want {
					t.Errorf("%s on %q: %v, want %v", fmt.Sprint(s), l, got, want)
				}
			}
		}
	}
}

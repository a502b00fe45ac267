// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// FuzzJSON: what is given as JSON is what the API server's reader of YAML, which
// reads another version of it, makes of the same text.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		author, "a: yes\n", "a: 0o10\nb: 010\n", "a: 1:20\nb: 10.0.0.0/8\n", "a: fd00::/8\n", "y: 1\n", "a: &x b\nc: *x\n", "a: 1\na: 2\n", "a: !!str 1\n", "a: |\n  b\n",
		"a: 'no'\nb: \"\\u00e9\\n\"\n", "a: ~\n", "a: 2001-01-01\n", "a: 1e3\n", "<<: {a: b}\n", "- 1\n- [a, {b: 3}]\n", "a: 1_000\nb: 99999999999\n", "1.2.3.4/5: 6\n", "a: .1.2.3/4\n", "a: 9/9\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		d.written = d.root
		words, ok := d.JSON()
		if !ok {
			return
		}
		theirs, err := kyaml.YAMLToJSONStrict([]byte(text))
		if err != nil {
			t.Fatalf("%q reads as %s; the API server refuses it: %v", text, words, err)
		}
		var got, want any
		if err := json.Unmarshal(words, &got); err != nil {
			t.Fatalf("%q: %s: %v", text, words, err)
		}
		if err := json.Unmarshal(theirs, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q reads as %s; the API server reads %s (%v)", text, words, theirs, err)
		}
	})
}

func TestJSONOfWhatIsWritten(t *testing.T) {
	d, err := Parse([]byte("a: [{port: 80}, {port: 443}]\nb: 10.0.0.0/8\nc: \"yes\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.JSON(); ok {
		t.Error("nothing was written, and there is JSON")
	}
	without(Field(d.Root(), "a"), 0)
	if _, err := d.Bytes(); err != nil {
		t.Fatal(err)
	}
	if got, ok := d.JSON(); !ok || string(got) != `{"a":[{"port":443}],"b":"10.0.0.0/8","c":"yes"}` {
		t.Errorf("got %s, %v", got, ok)
	}
}

// FuzzOneLine: what is written without the library reads as it would write it.
func FuzzOneLine(f *testing.F) {
	for _, text := range []string{"{a: b, c: [1, {d: e}]}", "[]", "{}", "[Ingress]", "{a: {}}", "[10.0.0.0/8]", "{kubernetes.io/metadata.name: x}", "[null, yes]", "{a: 'b'}", "[-1, +1]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		got, ok := flowText(nil, d.root)
		if !ok {
			return
		}
		want, err := yaml.Marshal(flowing(d.root))
		if err != nil || string(got) != strings.TrimSuffix(string(want), "\n") {
			t.Errorf("%q is written %q; the library writes %q (%v)", text, got, want, err)
		}
	})
}

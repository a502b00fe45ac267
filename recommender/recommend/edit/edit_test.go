// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const author = `# The shop's front door.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: "front", namespace: 'shop'}   # quoted on purpose
spec:
  podSelector: {}

  ingress:
    # from the inside
    - from:
        - podSelector:
            matchLabels: {app: a}   # a

        # b is old
        - podSelector:
            matchLabels:
              app: "b"
      ports:
      - port: 80
      # the old port
      - port: 8080
        protocol: TCP
      - {port: 443, protocol: TCP}

    - {}
  policyTypes: [Ingress, Egress] # both
`

// spec gives a field of author's text, which has it.
func spec(d *Document, path ...string) *yaml.Node {
	n := d.Root()
	for _, name := range path {
		n = Field(n, name)
	}
	return n
}

func without(n *yaml.Node, i int) {
	n.Content = append(append([]*yaml.Node{}, n.Content[:i]...), n.Content[i+1:]...)
}

// change is one edit of author's text and the lines that it takes out and puts in.
type change struct {
	name     string
	do       func(*Document)
	old, new string
}

var changes = []change{
	{"nothing", func(*Document) {}, "", ""},
	{"remove a port with its comment", func(d *Document) {
		without(Field(spec(d, "spec", "ingress").Content[0], "ports"), 1)
	}, "      # the old port\n      - port: 8080\n        protocol: TCP\n", ""},
	{"remove the first port", func(d *Document) {
		without(Field(spec(d, "spec", "ingress").Content[0], "ports"), 0)
	}, "      - port: 80\n", ""},
	{"remove the last port", func(d *Document) {
		without(Field(spec(d, "spec", "ingress").Content[0], "ports"), 2)
	}, "      - {port: 443, protocol: TCP}\n", ""},
	{"remove a peer with its comment", func(d *Document) {
		without(Field(spec(d, "spec", "ingress").Content[0], "from"), 1)
	}, "\n        # b is old\n        - podSelector:\n            matchLabels:\n              app: \"b\"\n", "\n"},
	{"remove the last rule", func(d *Document) {
		without(spec(d, "spec", "ingress"), 1)
	}, "    - {}\n", ""},
	{"replace a rule", func(d *Document) {
		n := Map(Text("from"), List(Map(Text("podSelector"), Map())))
		n.HeadComment = "everybody here"
		spec(d, "spec", "ingress").Content[1] = n
	}, "    - {}\n", "    # everybody here\n    - from:\n        - podSelector: {}\n"},
	{"add a rule at the end", func(d *Document) {
		l := spec(d, "spec", "ingress")
		l.Content = append(l.Content, Map(Text("ports"), List(Map(Text("port"), Number(1)))))
	}, "    - {}\n", "    - {}\n    - ports:\n        - port: 1\n"},
	{"remove every rule", func(d *Document) {
		spec(d, "spec", "ingress").Content = nil
	}, author[strings.Index(author, "  ingress:\n"):strings.Index(author, "  policyTypes")], "  ingress: []\n"},
	{"change within flow style", func(d *Document) {
		SetField(spec(d, "metadata"), "name", Text("back"))
	}, `{name: "front", namespace: 'shop'}`, `{name: back, namespace: 'shop'}`},
	{"shorten a flow list", func(d *Document) {
		without(spec(d, "spec", "policyTypes"), 1)
	}, "[Ingress, Egress] # both", "[Ingress] # both"},
	{"add a field", func(d *Document) {
		SetField(spec(d, "spec"), "egress", Flow(List()))
	}, "  policyTypes: [Ingress, Egress] # both\n", "  policyTypes: [Ingress, Egress] # both\n  egress: []\n"},
	{"add to an empty mapping", func(d *Document) {
		SetField(spec(d, "spec", "podSelector"), "matchLabels", Map(Text("app"), Text("x")))
	}, "podSelector: {}\n", "podSelector: {matchLabels: {app: x}}\n"},
	{"set a value that reads as a number", func(d *Document) {
		SetField(d.Root(), "kind", Text("8"))
	}, "kind: NetworkPolicy", `kind: "8"`},
}

func TestBytesTouchesOnlyWhatChanged(t *testing.T) {
	for _, lineEnd := range []string{"\n", "\r\n"} {
		for _, c := range changes {
			t.Run(c.name, func(t *testing.T) {
				text := strings.ReplaceAll(author, "\n", lineEnd)
				d, err := Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				c.do(d)
				got, err := d.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				want := strings.ReplaceAll(strings.Replace(author, c.old, c.new, 1), "\n", lineEnd)
				if string(got) != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

func TestRefusesWhatItCannotWrite(t *testing.T) {
	for name, text := range map[string]string{
		"anchor on the list": "a: &x\n- 1\n- 2\nb: *x\n",
		"anchor on flow":     "a: &x [1, 2]\nb: *x\n",
	} {
		d, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		without(Field(d.Root(), "a"), 0)
		if got, err := d.Bytes(); err == nil {
			t.Errorf("%s: wrote %q", name, got)
		}
	}
	for name, text := range map[string]string{"two documents": "a: 1\n---\nb: 2\n", "nothing": "# only a comment\n", "broken": "a: [1\n"} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func TestJSONStaysJSON(t *testing.T) {
	d, err := Parse([]byte(`{"b":[{"port":80},{"port":443}],"a":"1","n":null}`))
	if err != nil {
		t.Fatal(err)
	}
	without(Field(d.Root(), "b"), 0)
	got, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"b\": [\n    {\n      \"port\": 443\n    }\n  ],\n  \"a\": \"1\",\n  \"n\": null\n}\n"
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

// FuzzRemove takes an item out of a list of a document: the result reads as the
// tree says, or the change is refused; and of the text one block of lines goes,
// or one flow value changes.
func FuzzRemove(f *testing.F) {
	f.Add(author, uint8(0), uint8(0))
	f.Add(author, uint8(2), uint8(1))
	f.Add("a:\n- b: 1\n\n  c: [1, 2,\n  3]\n-\n  d: |\n    x\n    # y\n- e\n", uint8(0), uint8(1))
	f.Add("{\"a\": [1, {\"b\": []}]}", uint8(0), uint8(0))
	f.Add("- - a\n  - b\n- ? x\n  : y\n", uint8(0), uint8(1))
	f.Add("a: \"x: [\"\nb: [ 'it''s', \"]\" ] # ]\nc:\n  - ä: [ö, ü]\n", uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, text string, list, item uint8) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		same, err := d.Bytes()
		if err != nil || string(same) != text {
			t.Fatalf("no change wrote %q (%v)", same, err)
		}
		lists := d.lists(d.Root(), nil)
		if len(lists) == 0 {
			return
		}
		n := lists[int(list)%len(lists)]
		without(n, int(item)%len(n.Content))
		got, err := d.Bytes()
		if err != nil {
			return
		}
		var back, want any
		if err := yaml.Unmarshal(got, &back); err != nil {
			t.Fatalf("wrote what does not parse: %v\n%s", err, got)
		}
		if err := d.Root().Decode(&want); err != nil || !reflect.DeepEqual(back, want) {
			t.Fatalf("wrote %v, want %v (%v)", back, want, err)
		}
		if !d.json {
			oneBlock(t, text, string(got))
		}
	})
}

func (d *Document) lists(n *yaml.Node, found []*yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		found = append(found, n)
	}
	for _, c := range n.Content {
		found = d.lists(c, found)
	}
	return found
}

// oneBlock: what differs between two texts is one run of lines, of which at most
// one line is left or written.
func oneBlock(t *testing.T, before, after string) {
	t.Helper()
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(b) > 1 {
		t.Errorf("more than one line was written: %q in place of %q", b, a)
	}
}

// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// content is what one file holds.
type content struct {
	items    []cluster.Item
	problems []cluster.Problem
	broken   bool // a document of it did not parse
}

// reader reads the documents of one file.
type reader struct {
	file      string
	namespace string // of namespaced objects that name none; empty: such are problems
	content   content
}

// readText reads a file's documents, several at a time: parsing is what
// reading a large folder takes its time for.
func readText(file, namespace string, text []byte) content {
	docs := split(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	parts := make([]content, len(docs))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(docs)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(docs)); i = next.Add(1) - 1 {
				r := reader{file: file, namespace: namespace}
				r.document(docs[i])
				parts[i] = r.content
			}
		})
	}
	workers.Wait()
	var all content
	for _, p := range parts {
		all.items = append(all.items, p.items...)
		all.problems = append(all.problems, p.problems...)
		all.broken = all.broken || p.broken
	}
	return all
}

func (r *reader) problem(line int, field string, ref cluster.Ref, format string, args ...any) {
	r.content.problems = append(r.content.problems, cluster.Problem{
		File: r.file, Line: line, Field: field, Ref: ref, Message: fmt.Sprintf(format, args...),
	})
}

func (r *reader) document(d document) {
	root, err := d.parse(r.file)
	if err != nil {
		line, message := syntaxError(err)
		r.content.broken = true
		r.problem(d.line+line-1, "", cluster.Ref{}, "does not parse as YAML: %s; correct it (the other documents are used)", message)
		return
	}
	if root != nil && !isNull(root) {
		r.object(root, nesting{document: d}, "", "")
	}
}

// nesting says where an object lies: alone in its document, or in a List.
type nesting struct {
	document document
	listed   bool
}

// maxListDepth: a List within a List is legal, and kubectl takes it.
const maxListDepth = 4

func (r *reader) object(n *yaml.Node, in nesting, apiVersion, kind string) {
	r.objectAt(n, in, apiVersion, kind, 0)
}

// objectAt reads one object. apiVersion and kind are those that a typed list
// gives to items that leave them out.
func (r *reader) objectAt(n *yaml.Node, in nesting, apiVersion, kind string, depth int) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	line := in.document.line + n.Line - 1
	if n.Kind != yaml.MappingNode {
		r.problem(line, "", cluster.Ref{}, "is not a Kubernetes object: want fields (apiVersion, kind, metadata…), got %s; take the document out, or do not pass the file", show(n))
		return
	}
	ref := refOf(n, apiVersion, kind)
	switch {
	case ref.APIVersion == "" && isKustomization(r.file, ref):
		return
	case ref.APIVersion == "" && ref.Kind == "":
		r.problem(line, "apiVersion", ref, "is not a Kubernetes object: it has no apiVersion and no kind; add them, or do not pass the file")
		return
	case ref.APIVersion == "":
		r.problem(line, "apiVersion", ref, "%s has no apiVersion; add it", ref)
		return
	case ref.Kind == "":
		r.problem(line, "kind", ref, "the object has no kind; add it")
		return
	}
	if items := entry(n, "items"); items != nil && strings.HasSuffix(ref.Kind, "List") && depth < maxListDepth {
		r.list(items, in, ref, depth)
		return
	}
	k, ok, err := cluster.LookupKind(ref.APIVersion, ref.Kind)
	if err != nil {
		at := in.document.line + cluster.FieldLine(n, "kind") - 1
		r.problem(at, "kind", ref, "%s%s", err, leftOut(ref))
	}
	if ok {
		r.known(n, in, ref, k)
	}
}

func (r *reader) list(items *yaml.Node, in nesting, list cluster.Ref, depth int) {
	in.listed = true
	apiVersion, kind := "", ""
	if list.Kind != "List" {
		apiVersion, kind = list.APIVersion, strings.TrimSuffix(list.Kind, "List")
	}
	for items.Kind == yaml.AliasNode {
		items = items.Alias
	}
	if items.Kind != yaml.SequenceNode {
		if !isNull(items) {
			r.problem(in.document.line+items.Line-1, "items", list, "want a list of objects, got %s", show(items))
		}
		return
	}
	for _, item := range items.Content {
		r.objectAt(item, in, apiVersion, kind, depth+1)
	}
}

// known reads an object of a kind that matters.
func (r *reader) known(n *yaml.Node, in nesting, ref cluster.Ref, k cluster.Kind) {
	typed := k.New()
	d := decoder{strict: k.Policy}
	d.decode(n, typed)
	if !k.Namespaced {
		ref.Namespace = ""
		typed.SetNamespace("")
	} else if ref.Namespace == "" {
		ref.Namespace = r.namespace
		typed.SetNamespace(r.namespace)
	}
	base := in.document.line - 1
	at := func(field string) int { return base + cluster.FieldLine(n, field) }
	switch {
	case len(d.faults) > 0:
	case typed.GetName() == "":
		d.faults = append(d.faults, fault{field: "metadata.name", message: "the object has no name; add one"})
	case k.Namespaced && typed.GetNamespace() == "":
		d.faults = append(d.faults, fault{field: "metadata.namespace", message: "the object has no namespace; add it, or say which one is meant (--default-namespace)"})
	default:
		d.faults = check(typed)
	}
	if len(d.faults) == 0 {
		if err := cluster.Complete(ref.APIVersion, typed); err != nil {
			d.faults = append(d.faults, fault{field: "metadata.annotations", message: err.Error()})
		}
	}
	for _, f := range d.faults {
		line := base + f.line
		if f.line == 0 {
			line = at(f.field)
		}
		r.problem(line, f.field, ref, "%s%s", f.message, leftOut(ref))
	}
	if len(d.faults) == 0 {
		r.content.items = append(r.content.items, cluster.Item{Ref: ref, Object: typed, Source: r.source(n, in)})
	}
}

// leftOut ends the message of a problem that costs an object.
func leftOut(ref cluster.Ref) string { return "; " + ref.String() + " is left out" }

func (r *reader) source(n *yaml.Node, in nesting) cluster.Source {
	s := cluster.Source{File: r.file, Line: in.document.line, YAML: in.document.text}
	if !in.listed {
		return s
	}
	s.Line += n.Line - 1
	if text, err := yaml.Marshal(n); err == nil {
		s.YAML = text
	} else {
		s.YAML = nil
	}
	return s
}

// refOf tells as much of an object's name as the document says.
func refOf(n *yaml.Node, apiVersion, kind string) cluster.Ref {
	ref := cluster.Ref{APIVersion: apiVersion, Kind: kind}
	if v := text(entry(n, "apiVersion")); v != "" {
		ref.APIVersion = v
	}
	if v := text(entry(n, "kind")); v != "" {
		ref.Kind = v
	}
	if meta := entry(n, "metadata"); meta != nil {
		ref.Name, ref.Namespace = text(entry(meta, "name")), text(entry(meta, "namespace"))
	}
	return ref
}

func entry(n *yaml.Node, name string) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// isKustomization: kustomization files may leave out what they are.
func isKustomization(file string, ref cluster.Ref) bool {
	switch strings.ToLower(filepath.Base(file)) {
	case "kustomization.yaml", "kustomization.yml":
		return ref.Kind == "" || ref.Kind == "Kustomization"
	}
	return false
}

// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrUnwritable says that a change can't be written without touching what the
// author wrote elsewhere: it lies within an anchor, or the text is laid out in
// a way that is not understood.
var ErrUnwritable = errors.New("the change can't be written into this manifest's text")

// Bytes writes the document with its changes. Without changes it is the text
// that was parsed.
func (d *Document) Bytes() ([]byte, error) {
	if !d.changed(d.root) {
		return []byte(d.text), nil
	}
	out, err := d.write()
	if err != nil {
		return nil, err
	}
	if err := d.confirm(out); err != nil {
		return nil, err
	}
	return []byte(out), nil
}

func (d *Document) write() (string, error) {
	if d.json {
		return renderJSON(d.root)
	}
	if d.oddLineBreaks() {
		return "", fmt.Errorf("%w: it has line breaks other than those of Unix and Windows", ErrUnwritable)
	}
	w := writer{Document: d}
	if d.root.Style&yaml.FlowStyle != 0 {
		if err := w.flow(d.root); err != nil {
			return "", err
		}
	} else if err := w.container(d.root); err != nil {
		return "", err
	}
	if err := w.sound(); err != nil {
		return "", err
	}
	return w.apply(), nil
}

// confirm reads back what was written and holds it against what was wanted.
func (d *Document) confirm(out string) error {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(out), &doc); err != nil {
		return fmt.Errorf("%w: what was written does not parse: %w", ErrUnwritable, err)
	}
	if len(doc.Content) == 1 && alike(d.root, doc.Content[0]) {
		d.written = doc.Content[0]
		return nil
	}
	var got, want any // other words may say the same
	if err := doc.Decode(&got); err != nil {
		return fmt.Errorf("%w: what was written does not parse: %w", ErrUnwritable, err)
	}
	if err := d.root.Decode(&want); err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%w: what was written reads otherwise", ErrUnwritable)
	}
	return nil
}

// alike says whether two trees say the same in the same words, so that whatever
// reads one reads the other alike. Anchors, and names that are there twice, are
// not looked into.
func alike(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Anchor != "" || b.Anchor != "" || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.Value == b.Value && a.ShortTag() == b.ShortTag()
	case yaml.MappingNode:
		if a.ShortTag() != b.ShortTag() || !distinct(b) {
			return false
		}
	case yaml.SequenceNode:
		if a.ShortTag() != b.ShortTag() {
			return false
		}
	case yaml.AliasNode, yaml.DocumentNode:
		return false
	}
	return slices.EqualFunc(a.Content, b.Content, alike)
}

// distinct says whether all names of a mapping are plain texts, each there once.
func distinct(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode || n.Content[i].ShortTag() != "!!str" {
			return false
		}
		for k := 0; k < i; k += 2 {
			if n.Content[k].Value == n.Content[i].Value {
				return false
			}
		}
	}
	return true
}

// changed says whether a value differs from what was parsed.
func (d *Document) changed(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return n.Line == 0
	}
	was, known := d.was[n]
	if !known || !slices.Equal(was, n.Content) {
		return true
	}
	return slices.ContainsFunc(n.Content, d.changed)
}

// writer collects the patches of a document.
type writer struct {
	*Document
	patches []patch
}

// container writes the changes within a block mapping or list.
func (w *writer) container(n *yaml.Node) error {
	if n.Anchor != "" {
		return fmt.Errorf("%w: line %d has an anchor (&%s); what it names is used elsewhere too", ErrUnwritable, n.Line, n.Anchor)
	}
	if n.Kind == yaml.SequenceNode {
		return w.list(n)
	}
	return w.mapping(n)
}

// within goes on into a child that has changed inside.
func (w *writer) within(n *yaml.Node) error {
	if !w.changed(n) {
		return nil
	}
	if n.Style&yaml.FlowStyle != 0 || len(w.was[n]) == 0 {
		return w.flow(n)
	}
	return w.container(n)
}

// list writes a changed block list: removed items lose their lines, new ones
// are written where they stand.
func (w *writer) list(n *yaml.Node) error {
	was := w.was[n]
	column := w.dashColumn(was[0])
	if column < 0 {
		return fmt.Errorf("%w: line %d: no dash was found", ErrUnwritable, was[0].Line)
	}
	spans := w.spans(was, column, func(i int) int { return w.dashLine(was[i]) })
	kept := map[*yaml.Node]bool{}
	next := 0 // the item after the last one that stayed
	for _, item := range n.Content {
		i := slices.Index(was, item)
		if i < 0 {
			at := w.insertion(n, spans, next)
			w.patches = append(w.patches, patch{from: at, to: at, lines: indented(w.layout().item(item), column)})
			continue
		}
		if kept[item] {
			return fmt.Errorf("%w: an item is there twice", ErrUnwritable)
		}
		kept[item] = true
		next = i + 1
		if err := w.within(item); err != nil {
			return err
		}
	}
	for i, item := range was {
		if !kept[item] {
			w.drop(spans[i])
		}
	}
	return nil
}

// insertion is the line for a new item: the place of an item that goes, else
// right after the last one that stayed.
func (w *writer) insertion(n *yaml.Node, spans []span, next int) int {
	was := w.was[n]
	if next == 0 || next < len(was) && !slices.Contains(n.Content, was[next]) {
		return spans[next].head
	}
	return spans[next-1].end
}

// drop removes an entry's lines, and of the blank lines around it all but those
// above.
func (w *writer) drop(s span) {
	end := s.end
	for s.head > 0 && end < len(w.lines)-1 && strings.TrimSpace(w.lines[s.head-1]) == "" && strings.TrimSpace(w.lines[end]) == "" {
		end++
	}
	w.patches = append(w.patches, patch{from: s.head, to: end})
}

// mapping writes a changed block mapping.
func (w *writer) mapping(n *yaml.Node) error {
	was := w.was[n]
	column := was[0].Column - 1
	spans := w.spans(every(was, 2), column, func(i int) int { return was[2*i].Line - 1 })
	kept := map[*yaml.Node]bool{}
	insert := spans[0].head
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.Index(was, key)
		if at < 0 {
			w.patches = append(w.patches, patch{from: insert, to: insert, lines: indented(w.layout().field(key, value), column)})
			continue
		}
		kept[key] = true
		s := spans[at/2]
		insert = s.end
		if was[at+1] == value {
			if err := w.value(key, value, s, column); err != nil {
				return err
			}
			continue
		}
		if err := w.replace(key, value, s, column); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(was); i += 2 {
		if kept[was[i]] {
			continue
		}
		if w.afterDash(was[i]) {
			return fmt.Errorf("%w: line %d: the first field of an item can't go alone", ErrUnwritable, was[i].Line)
		}
		w.drop(spans[i/2])
	}
	return nil
}

// value writes the changes within a field. A list that lost all of its items
// becomes [].
func (w *writer) value(key, value *yaml.Node, s span, column int) error {
	if w.changed(value) && len(value.Content) == 0 && len(w.was[value]) > 0 && value.Style&yaml.FlowStyle == 0 {
		return w.replace(key, Flow(Clone(value)), s, column)
	}
	return w.within(value)
}

// replace writes a field anew, on the lines that it had.
func (w *writer) replace(key, value *yaml.Node, s span, column int) error {
	if key.Anchor != "" {
		return fmt.Errorf("%w: line %d has an anchor", ErrUnwritable, key.Line)
	}
	k := *key
	k.HeadComment, k.FootComment = "", ""
	lines := indented(w.layout().field(&k, value), column)
	if w.afterDash(key) {
		lines[0] = w.lines[s.start][:column] + lines[0][column:]
	}
	w.patches = append(w.patches, patch{from: s.start, to: s.end, lines: lines})
	return nil
}

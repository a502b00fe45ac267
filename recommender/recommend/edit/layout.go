// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// span is the lines of one item or field, counted from 0: its own comments
// above from head, its text from start, up to end.
type span struct{ head, start, end int }

// spans finds the lines of each entry of a block list or mapping.
func (w *writer) spans(entries []*yaml.Node, column int, startLine func(int) int) []span {
	out := make([]span, len(entries))
	for i := range entries {
		out[i].start = startLine(i)
		out[i].head = out[i].start
		for out[i].head > 0 && w.isComment(out[i].head-1) && w.indent(out[i].head-1) >= column && (i == 0 || out[i].head-1 >= lastLine(w.was, entries[i-1])) {
			out[i].head--
		}
		if w.sharesLine(out[i].start, column) {
			out[i].head = out[i].start
		}
	}
	for i := range entries {
		if i+1 < len(entries) {
			out[i].end = w.trimmed(out[i].start+1, out[i+1].head)
			continue
		}
		out[i].end = w.endOf(out[i].start, column)
	}
	return out
}

// sharesLine says whether the entry follows a dash on its line.
func (w *writer) sharesLine(line, column int) bool {
	return strings.TrimLeft(w.lines[line][:min(column, len(w.lines[line]))], " ") != ""
}

// trimmed leaves blank lines at the end of an entry to nobody: they stay.
func (w *writer) trimmed(from, to int) int {
	for to > from && strings.TrimSpace(w.lines[to-1]) == "" {
		to--
	}
	return to
}

// endOf finds where the last entry of a block ends: before the first line that
// stands no further right than the entry, comments and blank lines aside.
func (w *writer) endOf(start, column int) int {
	end := start + 1
	open := flowState{}
	open.line(w.lines[start])
	for i := start + 1; i < len(w.lines); i++ {
		text := strings.TrimSpace(w.lines[i])
		if open.depth > 0 {
			open.line(w.lines[i])
			end = i + 1
			continue
		}
		switch {
		case text == "":
		case strings.HasPrefix(text, "#"):
			if w.indent(i) > column {
				end = i + 1
			}
		case w.indent(i) > column, w.indent(i) == column && isDash(text) && !isDash(strings.TrimSpace(w.from(start, column))):
			open.line(w.lines[i])
			end = i + 1
		default:
			return end
		}
	}
	return end
}

// from gives a line from a column on.
func (w *writer) from(line, column int) string {
	if column >= len(w.lines[line]) {
		return ""
	}
	return w.lines[line][column:]
}

func isDash(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

func (w *writer) isComment(line int) bool {
	return strings.HasPrefix(strings.TrimSpace(w.lines[line]), "#")
}

func (w *writer) indent(line int) int {
	return len(w.lines[line]) - len(strings.TrimLeft(w.lines[line], " "))
}

// dashLine finds the line, from 0, of the dash before an item.
func (w *writer) dashLine(item *yaml.Node) int {
	line := first(item).Line - 1
	for i := line; i >= 0; i-- {
		text := strings.TrimSpace(w.lines[i])
		if i == line {
			text = strings.TrimSpace(w.lines[i][:min(len(w.lines[i]), w.byteColumn(first(item)))])
			if strings.HasSuffix(text, "-") {
				return i
			}
			continue
		}
		if text == "-" || strings.HasPrefix(text, "- #") {
			return i
		}
	}
	return line
}

// first is the node whose place is where the value's text begins.
func first(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 && n.Content[0].Line > 0 {
		return n.Content[0]
	}
	return n
}

// dashColumn finds the column, from 0, of an item's dash; -1 where there is none.
func (w *writer) dashColumn(item *yaml.Node) int {
	line := w.dashLine(item)
	text := w.lines[line]
	if line == first(item).Line-1 {
		text = text[:min(len(text), w.byteColumn(first(item)))]
	}
	return strings.LastIndex(text, "-")
}

// afterDash says whether a key stands on the line of its item's dash.
func (w *writer) afterDash(key *yaml.Node) bool {
	return w.sharesLine(key.Line-1, w.byteColumn(key))
}

// byteColumn is a node's column, from 0, in bytes: YAML counts characters.
func (w *writer) byteColumn(n *yaml.Node) int {
	text := w.lines[n.Line-1]
	at := 0
	for range n.Column - 1 {
		if at >= len(text) {
			break
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// lastLine is the last line, from 1, on which a part of the value begins.
func lastLine(was map[*yaml.Node][]*yaml.Node, n *yaml.Node) int {
	last := n.Line
	for _, c := range was[n] {
		last = max(last, lastLine(was, c))
	}
	return last
}

// layout finds out how the author indents lists below fields: as in the first
// list of the document.
func (w *writer) layout() Layout {
	best, line := 2, 0
	for n, content := range w.was {
		if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 {
			continue
		}
		for i := 0; i+1 < len(content); i += 2 {
			value := content[i+1]
			if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(w.was[value]) > 0 && value.Line > 0 {
				if by := w.dashColumn(w.was[value][0]) - (content[i].Column - 1); by >= 0 && by <= 8 && (line == 0 || value.Line < line) {
					best, line = by, value.Line
				}
			}
		}
	}
	return Layout{ListIndent: best}
}

// flow writes a flow value anew between the places where it begins and ends.
func (w *writer) flow(n *yaml.Node) error {
	if n.Anchor != "" {
		return fmt.Errorf("%w: line %d has an anchor (&%s)", ErrUnwritable, n.Line, n.Anchor)
	}
	if n.Line == 0 || n.Line > len(w.lines) {
		return fmt.Errorf("%w: a value has no place", ErrUnwritable)
	}
	start := w.byteColumn(n)
	state := flowState{}
	for i := n.Line - 1; i < len(w.lines); i++ {
		from := 0
		if i == n.Line-1 {
			from = start
		}
		if end, done := state.scan(w.lines[i], from); done {
			w.patches = append(w.patches, patch{from: n.Line - 1, to: i, start: start, end: end, flow: true, lines: []string{oneLine(n)}})
			return nil
		}
	}
	return fmt.Errorf("%w: line %d: the bracket is not closed", ErrUnwritable, n.Line)
}

// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// patch replaces lines [from, to), counted from 0, by others. With cut it
// replaces the bytes between two places instead.
type patch struct {
	from, to int
	lines    []string
	start    int // column, with flow
	end      int
	flow     bool
}

// sound puts the patches in order and sees that none meets another: a text that
// is laid out in a way that is not understood is refused.
func (w *writer) sound() error {
	slices.SortStableFunc(w.patches, func(a, b patch) int { return a.from - b.from })
	free := 0
	for _, p := range w.patches {
		end := p.to
		if p.flow {
			end++
		}
		bad := p.from < free || end < p.from || end > len(w.lines)
		if !bad && p.flow {
			bad = p.start > len(w.lines[p.from]) || p.end > len(w.lines[p.to]) || p.from == p.to && p.end < p.start
		}
		if bad {
			return fmt.Errorf("%w: the layout around line %d is not understood", ErrUnwritable, p.from+1)
		}
		free = end
	}
	return nil
}

func every(nodes []*yaml.Node, n int) []*yaml.Node {
	var out []*yaml.Node
	for i := 0; i < len(nodes); i += n {
		out = append(out, nodes[i])
	}
	return out
}

// apply puts the patches into the text, from the last to the first.
func (w *writer) apply() string {
	lines := slices.Clone(w.lines)
	for _, p := range slices.Backward(w.patches) {
		if p.flow {
			last := lines[p.to]
			joined := lines[p.from][:p.start] + p.lines[0] + last[p.end:]
			lines = slices.Replace(lines, p.from, p.to+1, joined)
			continue
		}
		if w.crlf {
			for i := range p.lines {
				p.lines[i] += "\r"
			}
		}
		lines = slices.Replace(lines, p.from, p.to, p.lines...)
	}
	return strings.Join(lines, "\n")
}

// oddLineBreaks: YAML breaks lines also at a lone carriage return and at three
// characters of Unicode; lines are not counted so here.
func (d *Document) oddLineBreaks() bool {
	return strings.ContainsAny(d.text, "\u0085\u2028\u2029") || strings.Contains(strings.ReplaceAll(d.text, "\r\n", ""), "\r")
}

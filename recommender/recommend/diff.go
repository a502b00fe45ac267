// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// context is how many unchanged lines a hunk shows around a change.
const context = 3

// Unified writes the difference of two texts as a unified diff, which patch and
// git apply take. name is the file; first the line of it, from 1, on which the
// texts begin. Equal texts give an empty diff.
func Unified(name, before, after string, first int) string {
	if before == after {
		return ""
	}
	a, b := splitLines(before), splitLines(after)
	ops := script(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- a/%s\n+++ b/%s\n", name, name)
	for _, h := range hunks(ops) {
		h.write(&out, ops, max(first, 1)-1)
	}
	return out.String()
}

// Part is a stretch of a file that becomes another: whole lines from First on,
// from 1.
type Part struct {
	First         int
	Before, After string
}

// Patch writes the change of a file as git writes it, for git apply. Parts are
// in the order of the file and do not overlap; what the file has at their lines
// must be their Before.
func Patch(name, text string, parts []Part) string {
	s := scripter{}
	lines := splitLines(text)
	at := 0
	for _, p := range parts {
		before := splitLines(p.Before)
		for ; at < p.First-1; at++ {
			s.add(' ', lines[at])
		}
		s.texts(before, splitLines(p.After))
		at += len(before)
	}
	for ; at < len(lines); at++ {
		s.add(' ', lines[at])
	}
	var out strings.Builder
	for i, h := range hunks(s.ops) {
		if i == 0 {
			fmt.Fprintf(&out, "diff --git a/%[1]s b/%[1]s\n--- a/%[1]s\n+++ b/%[1]s\n", name)
		}
		h.write(&out, s.ops, 0)
	}
	return out.String()
}

// PatchNew writes a new file as git writes it, for git apply.
func PatchNew(name, text string) string {
	s := scripter{}
	s.texts(nil, splitLines(text))
	var out strings.Builder
	fmt.Fprintf(&out, "diff --git a/%[1]s b/%[1]s\nnew file mode 100644\n--- /dev/null\n+++ b/%[1]s\n", name)
	for _, h := range hunks(s.ops) {
		h.write(&out, s.ops, 0)
	}
	return out.String()
}

// diffName is the path to show: the manifest's, or one made of the policy's name.
func diffName(file string, ref cluster.Ref) string {
	if file == "" {
		return strings.ToLower(strings.Join(nonEmpty(ref.Kind, ref.Namespace, ref.Name), "-")) + ".yaml"
	}
	return strings.TrimPrefix(filepath.ToSlash(filepath.Clean(file)), "/")
}

func nonEmpty(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// splitLines cuts a text after each line end, so that a missing last one shows.
func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// op is one line of the edit script: ' ' in both, '-' before only, '+' after only.
type op struct {
	sign byte
	text string
	a, b int // lines before this one, in each text
}

// script finds a shortest edit script by the longest common subsequence.
func script(a, b []string) []op {
	s := scripter{ops: make([]op, 0, len(a)+len(b))}
	s.texts(a, b)
	return s.ops
}

// texts goes on with the lines of two texts. Manifests are short: the table of
// lines by lines is small once the common ends are cut off.
func (s *scripter) texts(a, b []string) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for _, line := range a[:head] {
		s.add(' ', line)
	}
	s.middle(a[head:len(a)-tail], b[head:len(b)-tail])
	for _, line := range a[len(a)-tail:] {
		s.add(' ', line)
	}
}

func (s *scripter) middle(x, y []string) {
	common := make([][]int32, len(x)+1)
	for i := range common {
		common[i] = make([]int32, len(y)+1)
	}
	for i := range slices.Backward(x) {
		for j := range slices.Backward(y) {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			s.add(' ', x[i])
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || common[i+1][j] >= common[i][j+1]):
			s.add('-', x[i])
			i++
		default:
			s.add('+', y[j])
			j++
		}
	}
}

type scripter struct {
	ops  []op
	a, b int
}

func (s *scripter) add(sign byte, text string) {
	s.ops = append(s.ops, op{sign, text, s.a, s.b})
	if sign != '+' {
		s.a++
	}
	if sign != '-' {
		s.b++
	}
}

// hunk is a range of the edit script.
type hunk struct{ from, to int }

func hunks(ops []op) []hunk {
	var out []hunk
	for i, o := range ops {
		if o.sign == ' ' {
			continue
		}
		from, to := max(i-context, 0), min(i+context+1, len(ops))
		if n := len(out); n > 0 && from <= out[n-1].to {
			out[n-1].to = to
		} else {
			out = append(out, hunk{from, to})
		}
	}
	return out
}

func (h hunk) write(out *strings.Builder, ops []op, offset int) {
	var a, b int
	for _, o := range ops[h.from:h.to] {
		if o.sign != '+' {
			a++
		}
		if o.sign != '-' {
			b++
		}
	}
	first := ops[h.from]
	fmt.Fprintf(out, "@@ -%s +%s @@\n", position(first.a+offset, a), position(first.b+offset, b))
	for _, o := range ops[h.from:h.to] {
		out.WriteByte(o.sign)
		out.WriteString(o.text)
		if !strings.HasSuffix(o.text, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// position counts lines from 1; a range without lines names the line before it.
func position(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

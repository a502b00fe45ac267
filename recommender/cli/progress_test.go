// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"testing"
)

// TestProgress: the terminal has one line about the work, which makes room for
// what else is said.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	p := startProgress(&screen) // no terminal: nothing is shown by itself
	const clear = "\r\x1b[K"
	want := ""
	step := func(do func(), text string) {
		t.Helper()
		want += text
		if do(); screen.String() != want {
			t.Errorf("got %q, want %q", screen.String(), want)
		}
	}
	step(p.draw, "")
	step(func() { p.set("reading flows", 0, 0) }, "")
	step(p.draw, "reading flows…")
	step(func() { p.set("reading flows", 7, 0); p.draw() }, clear+"reading flows: 7")
	step(func() { fmt.Fprintln(p, "a warning") }, clear+"a warning\n")
	step(func() { fmt.Fprintln(p, "another") }, "another\n")
	step(func() { p.set("proving", 3, 9); p.draw() }, "proving: 3 of 9")
	step(p.wipe, clear)
	step(p.wipe, "")
	p.stop()
}

// TestProgressStaysOutOfPipes: what is no terminal gets warnings only.
func TestProgressStaysOutOfPipes(t *testing.T) {
	var screen bytes.Buffer
	p := startProgress(&screen)
	env := p.told(&Env{Stderr: &screen})
	p.set("reading flows", 1, 2)
	fmt.Fprintln(env.Stderr, "a warning")
	p.stop()
	if screen.String() != "a warning\n" {
		t.Errorf("got %q", screen.String())
	}
}

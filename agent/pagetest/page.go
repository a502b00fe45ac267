// SPDX-License-Identifier: Apache-2.0

// Package pagetest holds pages of the documentation to the code: a section is
// what stands between two comments of a page, and says what a test makes of the
// code. With -update the test writes it.
package pagetest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated sections of the documentation")

// Hold fails the test where a page's section is not the text.
func Hold(tb testing.TB, path, section, text string) {
	tb.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	begin, end := "<!-- "+section+": generated, do not edit -->\n", "<!-- end of "+section+" -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	got, after, also := strings.Cut(rest, end)
	if !ok || !also {
		tb.Fatalf("%s has no section between %q and %q", path, begin, end)
	}
	if got == text {
		return
	}
	if !*update {
		tb.Errorf("section %s of %s is not what the code says; run this test with -update. Want:\n%s", section, path, text)
		return
	}
	if err := os.WriteFile(path, []byte(before+begin+text+end+after), 0o644); err != nil {
		tb.Fatal(err)
	}
}

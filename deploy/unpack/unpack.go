// SPDX-License-Identifier: Apache-2.0

// Package unpack finds the programs that tests speak with: those of Debian
// packages that make test unpacks into bin/_debian (unpack.sh), or those that
// are installed.
package unpack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Root is where packages are unpacked: bin/_debian of the repository that the
// working directory is in; empty outside of one.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin", "_debian")
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// Find gives the path of a program. Without it the test is skipped, and named
// what is missing; in continuous integration it fails.
func Find(tb testing.TB, program string) string {
	tb.Helper()
	for _, folder := range []string{"usr/bin", "usr/sbin"} {
		path := filepath.Join(Root(), folder, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	const missing = "%s is missing: make test fetches it on Debian, elsewhere put it into PATH"
	if os.Getenv("CI") != "" {
		tb.Fatalf(missing, program)
	}
	tb.Skipf(missing, program)
	return ""
}

// Folders gives the folders that match a pattern below Root, such as
// usr/lib/*-linux-gnu.
func Folders(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(Root(), pattern))
	if err != nil {
		return nil
	}
	return found
}

// Command runs a program that Find found. One that was unpacked finds its
// libraries, and its files of usr/share in their place: in a mount namespace of
// its own, for which the test must be root.
func Command(ctx context.Context, tb testing.TB, program string, args ...string) *exec.Cmd {
	tb.Helper()
	root := Root()
	if root == "" || !strings.HasPrefix(program, root+"/") {
		return exec.CommandContext(ctx, program, args...)
	}
	if os.Geteuid() != 0 {
		tb.Skipf("%s is unpacked, not installed: run the test as root", program)
	}
	const inside = `root=$1; shift; mount -t tmpfs none /usr/share && ln -s "$root"/usr/share/* /usr/share/ && exec "$@"`
	all := append([]string{"--mount", "sh", "-c", inside, "sh", root, program}, args...)
	cmd := exec.CommandContext(ctx, "unshare", all...)
	if libraries := Folders("usr/lib/*-linux-gnu"); len(libraries) > 0 {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	}
	return cmd
}

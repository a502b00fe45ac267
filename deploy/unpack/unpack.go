// SPDX-License-Identifier: Apache-2.0

// Package unpack finds the programs that tests speak with: those of Debian
// packages that make test unpacks into bin/debian (unpack.sh), or those that
// are installed.
package unpack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Root is where packages are unpacked: bin/debian of the repository that the
// working directory is in; empty outside of one.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin", "debian")
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// Find gives the path of a program. Without it the test is skipped, and named
// what is missing; in continuous integration it fails.
func Find(t testing.TB, program string) string {
	t.Helper()
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
		t.Fatalf(missing, program)
	}
	t.Skipf(missing, program)
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

// Env is the environment in which unpacked programs find their libraries.
func Env() []string {
	libraries := strings.Join(Folders("usr/lib/*-linux-gnu"), ":")
	if libraries == "" {
		return os.Environ()
	}
	return append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
}

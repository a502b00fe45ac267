// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A full disk: batches stay in memory within a bound, the trouble is told once,
// and files are written again when there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("netcinch-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("needs CAP_SYS_ADMIN to mount a small disk")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := testOptions(t, filepath.Join(dir, "spool"), &log)
	o.MemoryLimit = 3 * (8<<10 + headerSize)
	s := open(t, o)
	body := func(c string) []byte { return []byte(strings.Repeat(c, 8<<10)) }
	var thrown int
	s.lose = func([]byte) { thrown++ }
	for _, c := range []string{"a", "b", "c", "d", "e"} {
		s.put(body(c))
	}
	state, c := s.state()
	if thrown != 2 || state.Batches != 3 || state.BytesInMemory != o.MemoryLimit || state.Bytes != 0 || c.overflow != 2 || c.writeErrors != 5 {
		t.Errorf("thrown %d, state %+v, counts %+v", thrown, state, c)
	}
	if n := strings.Count(log.String(), "the spool cannot be written"); n != 1 || !strings.Contains(log.String(), "no space left on device") {
		t.Errorf("told %d times, want once with the reason: %s", n, &log)
	}
	if found := files(t, o.SpoolDir); len(found) != 0 {
		t.Errorf("half-written files: %v", found)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.put(body("f"))
	if state, _ := s.state(); state.Bytes == 0 || !strings.Contains(log.String(), "can be written again") {
		t.Errorf("the spool did not recover: %+v, %s", state, &log)
	}
	var order string
	for _, got := range drainSpool(s) {
		order += got[len(got)-1:]
	}
	if order != "cdef" {
		t.Errorf("sent %q, want %q", order, "cdef")
	}
}

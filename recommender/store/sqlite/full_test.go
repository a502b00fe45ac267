// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

// smallDisk mounts a file system of so many bytes on a folder of the test's own.
func smallDisk(t *testing.T, size string) (dir string, resize func(size string)) {
	t.Helper()
	dir = t.TempDir()
	err := unix.Mount("netcinch-test", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size="+size)
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_ADMIN, to mount a small file system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func(size string) {
		t.Helper()
		if err := unix.Mount("netcinch-test", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	dir, resize := smallDisk(t, "3m")
	s := openTest(t, dir)
	// A day that is not open for writing when the disk is full.
	old := storetest.Batch(1, -10*24*time.Hour, crashBatch(0, 1).Records[0])
	old.Cluster = "old"
	if _, err := s.Append(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	var kept uint64
	for {
		_, err := s.Append(t.Context(), crashBatch(0, kept+1))
		if errors.Is(err, store.ErrFull) {
			t.Logf("after %d batches: %v", kept, err)
			break
		}
		if err != nil {
			t.Fatalf("want ErrFull, got %v", err)
		}
		kept++
	}
	if kept < 10 {
		t.Fatalf("only %d batches fit; the disk is too small for the test", kept)
	}
	for range 5 { // it goes on serving, and refuses again
		if got := wholeBatches(t, s); got != kept {
			t.Fatalf("%d batches are there, want %d", got, kept)
		}
		if _, err := s.Append(t.Context(), crashBatch(0, kept+1)); !errors.Is(err, store.ErrFull) {
			t.Fatalf("want ErrFull again, got %v", err)
		}
	}
	if got, err := s.Series(t.Context(), store.Query{Cluster: "old"}, old.Records[0].Edge); err != nil || len(got) != 1 {
		t.Errorf("a day that is closed, on a full disk: %d records, error %v; want one", len(got), err)
	}
	resize("64m") // it recovers by itself
	for range 5 {
		kept++
		if duplicate, err := s.Append(t.Context(), crashBatch(0, kept)); err != nil || duplicate {
			t.Fatalf("with room again: duplicate %v, error %v", duplicate, err)
		}
	}
	if got := wholeBatches(t, s); got != kept {
		t.Errorf("%d batches are there, want %d", got, kept)
	}
}

// TestFullDiskAtOpen closes and opens a store on a disk that stays full.
func TestFullDiskAtOpen(t *testing.T) {
	dir, resize := smallDisk(t, "3m")
	s, err := Open(Options{Dir: dir, PodRetention: 48 * time.Hour, Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	var kept uint64
	for ; err == nil; kept++ {
		_, err = s.Append(t.Context(), crashBatch(0, kept+1))
	}
	kept--
	if err = s.Close(); err != nil && !errors.Is(err, store.ErrFull) {
		t.Errorf("closing: %v, want no error or ErrFull", err)
	}
	fill, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Close()
	for page := make([]byte, 4096); err == nil; _, err = fill.Write(page) {
	}
	again, err := Open(Options{Dir: dir, PodRetention: 48 * time.Hour, Clock: noon})
	if err != nil {
		t.Logf("opening on a full disk: %v", err)
		if !errors.Is(err, store.ErrFull) {
			t.Errorf("want ErrFull, got %v", err)
		}
		resize("64m")
		again = openTest(t, dir)
	}
	defer again.Close()
	if got := wholeBatches(t, again); got != kept {
		t.Errorf("%d batches are there, want %d", got, kept)
	}
}

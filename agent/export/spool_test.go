// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testOptions write into a directory of the test and log into the buffer.
func testOptions(t *testing.T, dir string, log *bytes.Buffer) Options {
	t.Helper()
	o := DefaultOptions()
	o.Cluster, o.Node, o.Server, o.SpoolDir = "c", "n", "https://127.0.0.1:1", dir
	o.Clock, o.Random = time.Now, func() float64 { return 0 }
	epochs := 0
	o.NewEpoch = func() string { epochs++; return fmt.Sprintf("epoch%d", epochs) }
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	return o
}

func open(t *testing.T, o Options) *spool {
	t.Helper()
	s, err := openSpool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

// drainSpool takes everything out, in order.
func drainSpool(s *spool) (got []string) {
	for {
		e, _, ok := s.oldest()
		if !ok {
			return got
		}
		got = append(got, fmt.Sprintf("%s/%d:%s", e.epoch, e.sequence, e.memory))
		s.remove(e.name)
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.batch*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSpoolSurvivesRestart(t *testing.T) {
	var log bytes.Buffer
	o := testOptions(t, t.TempDir(), &log)
	s := open(t, o)
	for _, body := range []string{"one", "two", "three"} {
		s.put([]byte(body))
	}
	e, _, _ := s.oldest()
	s.remove(e.name)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	// What was cut by a crash has no name yet and is no batch.
	if err := os.WriteFile(filepath.Join(o.SpoolDir, "x.batch.tmp"), []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	s.put([]byte("four"))
	same(t, drainSpool(s), []string{"epoch1/2:two", "epoch1/3:three", "epoch1/4:four"})
	if left := files(t, o.SpoolDir); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	// An empty spool begins a new epoch: no name is given twice.
	s = open(t, o)
	s.put([]byte("five"))
	same(t, drainSpool(s), []string{"epoch3/1:five"})
}

func TestSpoolOfTwoEpochsBeginsAThird(t *testing.T) {
	var log bytes.Buffer
	o := testOptions(t, t.TempDir(), &log)
	for _, n := range []name{{"b", 7}, {"a", 9}, {"a", 10}} {
		if err := writeFile(o.SpoolDir, n.file(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, o)
	s.put([]byte("y"))
	same(t, drainSpool(s), []string{"a/9:x", "a/10:x", "b/7:x", "epoch1/1:y"})
}

func TestSpoolIsForOneAgent(t *testing.T) {
	var log bytes.Buffer
	o := testOptions(t, t.TempDir(), &log)
	open(t, o)
	if _, err := openSpool(o); err == nil || !strings.Contains(err.Error(), "in use by another agent") {
		t.Errorf("got %v, want the second agent to be told", err)
	}
}

func TestDamagedFilesAreNamedAndSetAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":       func(b []byte) []byte { return b[:len(b)-1] },
		"one bit":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"no header": func([]byte) []byte { return []byte("NC") },
		"empty":     func([]byte) []byte { return nil },
		"not ours":  func(b []byte) []byte { return append([]byte("GZIP"), b[4:]...) },
		"newer":     func(b []byte) []byte { b[4] = 2; return b },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			o := testOptions(t, t.TempDir(), &log)
			s := open(t, o)
			s.put([]byte("one"))
			s.put([]byte("two"))
			path := files(t, o.SpoolDir)[0]
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(file), 0o600); err != nil {
				t.Fatal(err)
			}
			e, damaged, ok := s.oldest()
			if !ok || damaged != 1 || string(e.memory) != "two" {
				t.Errorf("got %q, %d damaged, want the next one and 1", e.memory, damaged)
			}
			if !strings.Contains(log.String(), path) || !strings.Contains(log.String(), "damaged spool file") {
				t.Errorf("the log does not name the file: %s", &log)
			}
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Errorf("the file was not set aside: %v", err)
			}
			if _, c := s.state(); c.damaged != 1 {
				t.Errorf("%d counted, want 1", c.damaged)
			}
		})
	}
}

func TestFewDamagedFilesAreKept(t *testing.T) {
	var log bytes.Buffer
	o := testOptions(t, t.TempDir(), &log)
	s := open(t, o)
	for range maxAside + 5 {
		s.put([]byte("x"))
	}
	for _, path := range files(t, o.SpoolDir) {
		if err := os.Truncate(path, 3); err != nil {
			t.Fatal(err)
		}
	}
	_, damaged, ok := s.oldest()
	if ok || damaged != maxAside+5 || len(files(t, o.SpoolDir)) != maxAside {
		t.Errorf("%d damaged, %d kept; want %d and %d", damaged, len(files(t, o.SpoolDir)), maxAside+5, maxAside)
	}
}

func TestOverflowThrowsTheOldestButNotWhatIsBeingSent(t *testing.T) {
	var log bytes.Buffer
	o := testOptions(t, t.TempDir(), &log)
	o.SpoolLimit = 3 * (4 + headerSize)
	s := open(t, o)
	s.put([]byte("one."))
	if e, _, _ := s.oldest(); string(e.memory) != "one." {
		t.Fatalf("got %q", e.memory)
	}
	var thrown []string
	s.lose = func(body []byte) { thrown = append(thrown, string(body)) }
	for _, body := range []string{"two.", "tre.", "four", "five"} {
		s.put([]byte(body))
	}
	same(t, thrown, []string{"two.", "tre."})
	state, c := s.state()
	if c.overflow != 2 || state.Bytes != o.SpoolLimit {
		t.Errorf("%d thrown away, %d bytes; want 2 and %d", c.overflow, state.Bytes, o.SpoolLimit)
	}
	same(t, drainSpool(s), []string{"epoch1/1:one.", "epoch1/4:four", "epoch1/5:five"})
	if state, _ := s.state(); state != (SpoolState{}) || len(files(t, o.SpoolDir)) != 0 {
		t.Errorf("left after all is sent: %+v and %v", state, files(t, o.SpoolDir))
	}
}

func FuzzDecodeFile(f *testing.F) {
	f.Add(encodeFile([]byte("body")))
	f.Add(encodeFile(nil))
	f.Add([]byte("NCSP"))
	f.Fuzz(func(t *testing.T, file []byte) {
		body, err := decodeFile(file)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			return
		}
		if again, err := decodeFile(encodeFile(body)); err != nil || !bytes.Equal(again, body) {
			t.Errorf("body does not survive: %v", err)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(name{"abc", 7}.file())
	f.Add("00000000000000000000-x.batch")
	f.Add("-.batch")
	f.Fuzz(func(t *testing.T, file string) {
		if n, ok := parseName(file); ok && (n.file() != file || n.sequence == 0 || n.epoch == "") {
			t.Errorf("%q is read as %+v, which is %q", file, n, n.file())
		}
	})
}

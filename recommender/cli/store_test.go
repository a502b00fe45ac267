// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/netcinch/netcinch/recommender/cli"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// keep makes a store of a flow file.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep FOLDER FLOWS")
	}
	ts.Check(fillStore(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

// fillStore keeps a flow file: each window is a batch of one node.
func fillStore(dir, flows string) error {
	f, err := os.Open(flows)
	if err != nil {
		return err
	}
	defer f.Close()
	records, _, err := jsonl.ReadAll(f, flows)
	if err != nil {
		return err
	}
	s, err := sqlite.Open(sqlite.Options{
		Dir: filepath.Join(dir, "flows"), PodRetention: 30 * 24 * time.Hour, Clock: func() time.Time { return clock },
	})
	if err != nil {
		return err
	}
	byWindow := map[flow.Window][]flow.Record{}
	var order []flow.Window
	for _, r := range records {
		if byWindow[r.Window] == nil {
			order = append(order, r.Window)
		}
		byWindow[r.Window] = append(byWindow[r.Window], r)
	}
	for i, w := range order {
		_, err := s.Append(context.Background(), store.Batch{
			Cluster: "shop", Node: "n1", Epoch: "e", Sequence: uint64(i + 1), Window: w, Records: byWindow[w],
		})
		if err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return errors.Join(s.Decide(context.Background(), store.Decision{
		ID: "0123456789abcdef", Cluster: "shop", Finding: "f", Verdict: store.Accepted, By: "ada", At: clock, Reason: "planned",
	}), s.Close())
}

// endingReader takes so many bytes and then is gone.
type endingReader struct {
	bytes.Buffer
	left int
}

func (e *endingReader) Write(p []byte) (int, error) {
	if len(p) > e.left {
		n, _ := e.Buffer.Write(p[:e.left])
		e.left = 0
		return n, syscall.EPIPE
	}
	e.left -= len(p)
	return e.Buffer.Write(p)
}

// TestExportGoesOn breaks an export off anywhere, and goes on as it says: what
// it says is whole and the rest are the whole export.
func TestExportGoesOn(t *testing.T) {
	dir := t.TempDir()
	if err := fillStore(dir, filepath.Join("testdata", "shop", "flows.jsonl")); err != nil {
		t.Fatal(err)
	}
	export := func(out io.Writer, more ...string) (int, string) {
		var stderr bytes.Buffer
		status := cli.Run(t.Context(), cli.Env{
			Args: append([]string{"netcinch", "store", "export", "--data-dir", dir, "--step", "6h"}, more...), Stdout: out, Stderr: &stderr,
			Getenv: func(string) string { return "" }, Now: func() time.Time { return clock },
		})
		return status, stderr.String()
	}
	var whole bytes.Buffer
	if status, said := export(&whole); status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	resume := regexp.MustCompile(`whole up to \S+ \((\d+) records?\); go on with --from (\S+)\n`)
	for _, part := range []int{30, 50, 90} {
		cut := endingReader{left: whole.Len() * part / 100}
		status, said := export(&cut)
		found := resume.FindStringSubmatch(said)
		if status != 2 || found == nil || !strings.Contains(said, "netcinch: exporting: the reader of the output has ended\n") {
			t.Fatalf("cut at %d %%: status %d: %s", part, status, said)
		}
		lines, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		var rest bytes.Buffer
		if status, said := export(&rest, "--from", found[2]); status != 0 {
			t.Fatalf("going on: status %d: %s", status, said)
		}
		got := strings.Join(strings.SplitAfter(cut.String(), "\n")[:lines], "") + rest.String()
		if got != whole.String() {
			t.Errorf("cut at %d %%: %d lines and %d more are not the %d of the whole", part, lines,
				strings.Count(rest.String(), "\n"), strings.Count(whole.String(), "\n"))
		}
	}
}

// spoil writes over a file from a part of it on.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spoil FILE PART")
	}
	part, err := strconv.Atoi(strings.TrimSuffix(args[1], "%"))
	ts.Check(err)
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	copy(raw[len(raw)*part/100:], bytes.Repeat([]byte("spoilt "), len(raw)))
	ts.Check(os.WriteFile(path, raw, 0o600))
}

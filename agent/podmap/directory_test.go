// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	cartYAML = `apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, uid: u1, creationTimestamp: "2026-11-22T12:00:00Z"}
spec: {nodeName: n1}
status: {phase: Running, startTime: "2026-11-22T12:00:01Z", podIP: 10.1.0.5, podIPs: [{ip: 10.1.0.5}, {ip: "fd00::5"}]}
`
	dbJSON = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db","namespace":"shop","uid":"u2"},"spec":{"nodeName":"n1"},"status":{"podIP":"10.1.0.6"}}`
)

func TestParsePods(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // namespace/name uid addresses
		err  string   // part of it
	}{
		"YAML":             {cartYAML, []string{"shop/cart u1 [10.1.0.5 fd00::5]"}, ""},
		"JSON":             {dbJSON, []string{"shop/db u2 [10.1.0.6]"}, ""},
		"several":          {cartYAML + "---\n" + dbJSON + "\n---\n# nothing\n", []string{"shop/cart u1 [10.1.0.5 fd00::5]", "shop/db u2 [10.1.0.6]"}, ""},
		"PodList":          {`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a","namespace":"b"}}]}`, []string{"b/a  []"}, ""},
		"List":             {`{"apiVersion":"v1","kind":"List","items":[` + dbJSON + `,{"apiVersion":"v1","kind":"Service"}]}`, []string{"shop/db u2 [10.1.0.6]"}, ""},
		"other kinds":      {"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", nil, ""},
		"empty":            {"", nil, ""},
		"not YAML":         {"a: [", nil, "document 1"},
		"no object":        {"just text", nil, "document 1: not a Kubernetes object: want fields such as apiVersion and kind; correct it"},
		"no kind":          {"a: 1", nil, "kind or apiVersion is missing"},
		"second is broken": {cartYAML + "---\nkind: Pod\napiVersion: v1\n", nil, "document 2: a Pod without"},
		"wrong field":      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec: {hostNetwork: maybe}\n", nil, "hostNetwork"},
		"wrong address":    {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nstatus: {podIPs: [{ip: 10.0.0.256}]}\n", nil, "pod b/a: status.podIPs[0]"},
		"wrong item":       {`{"apiVersion":"v1","kind":"PodList","items":[` + dbJSON + `,{}]}`, nil, "items[1]: a Pod without"},
	} {
		t.Run(name, func(t *testing.T) {
			pods, err := parsePods([]byte(c.text))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q in the error", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range pods {
				got = append(got, fmt.Sprintf("%s/%s %s %v", p.Namespace, p.Name, p.UID, p.Addresses))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTimesOfAPod(t *testing.T) {
	pods, err := parsePods([]byte(cartYAML))
	if err != nil {
		t.Fatal(err)
	}
	if want := noon.Add(time.Second); !pods[0].Started.Equal(want) || pods[0].Over {
		t.Errorf("got %+v, want started at %v and running", pods[0], want)
	}
	ended := strings.Replace(cartYAML, "phase: Running", `phase: Succeeded, containerStatuses: [{name: a, state: {terminated: {finishedAt: "2026-11-22T12:00:05Z"}}},`+
		` {name: b, state: {terminated: {finishedAt: "2026-11-22T12:00:07Z"}}}]`, 1)
	pods, err = parsePods([]byte(ended))
	if err != nil {
		t.Fatal(err)
	}
	if want := noon.Add(7 * time.Second); !pods[0].Over || !pods[0].Ended.Equal(want) {
		t.Errorf("got %+v, want ended at %v", pods[0], want)
	}
}

// folder is a directory source under test, looked at by hand.
type folder struct {
	*Directory
	path string
	log  bytes.Buffer
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{path: t.TempDir()}
	f.Directory = NewDirectory(f.path, "n1", time.Millisecond, slog.New(slog.NewTextHandler(&f.log, nil)))
	return f
}

func (f *folder) write(t *testing.T, name, text string) {
	t.Helper()
	temp := filepath.Join(f.path, name+".tmp")
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(f.path, name)); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) look(t *testing.T) []string {
	t.Helper()
	if _, err := f.refresh(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range f.pods() {
		names = append(names, p.Name)
	}
	return names
}

func wantNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDirectoryFollowsItsFiles(t *testing.T) {
	f := newFolder(t)
	wantNames(t, f.look(t))
	f.write(t, "1.yaml", cartYAML)
	f.write(t, "2.json", dbJSON)
	f.write(t, "notes.txt", "kind: Pod")
	wantNames(t, f.look(t), "cart", "db")
	if changed, _ := f.refresh(); changed || f.moved() {
		t.Error("a change where nothing changed")
	}
	f.write(t, "1.yaml", strings.Replace(cartYAML, "name: cart", "name: cart2", 1))
	wantNames(t, f.look(t), "cart2", "db")
	if err := os.Remove(filepath.Join(f.path, "2.json")); err != nil {
		t.Fatal(err)
	}
	wantNames(t, f.look(t), "cart2")
	f.write(t, "3.yaml", strings.Replace(cartYAML, "nodeName: n1", "nodeName: n2", 1))
	f.write(t, "4.yaml", strings.Replace(cartYAML, "name: cart", "name: cart4", 1)) // the same UID
	wantNames(t, f.look(t), "cart4")
}

// A broken file is named once, is counted, and takes nothing away.
func TestBrokenFileTakesNothingAway(t *testing.T) {
	f := newFolder(t)
	f.write(t, "1.yaml", cartYAML)
	f.write(t, "2.json", dbJSON)
	f.look(t)
	f.write(t, "1.yaml", "kind: Pod\nmetadata: [")
	for range 3 {
		wantNames(t, f.look(t), "cart", "db")
	}
	if n := strings.Count(f.log.String(), filepath.Join(f.path, "1.yaml")); n != 1 {
		t.Errorf("named %d times, want once: %s", n, &f.log)
	}
	if f.Failures() != 1 || f.BadFiles() != 1 {
		t.Errorf("%d failures, %d bad files; want 1 and 1", f.Failures(), f.BadFiles())
	}
	f.write(t, "1.yaml", strings.Replace(cartYAML, "name: cart", "name: mended", 1))
	wantNames(t, f.look(t), "mended", "db")
	if f.BadFiles() != 0 {
		t.Errorf("%d bad files after it was mended", f.BadFiles())
	}
}

func TestWatchReportsChanges(t *testing.T) {
	f := newFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := make(chan []Pod, 100)
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx, func(p []Pod) { reports <- p }) }()
	if p := <-reports; len(p) != 0 {
		t.Errorf("first report %v, want none: also an empty directory is an answer", p)
	}
	f.write(t, "1.yaml", cartYAML)
	if p := <-reports; len(p) != 1 || p[0].Name != "cart" {
		t.Errorf("second report %v, want cart", p)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A file is seen when it is replaced, in a directory below, too, and when it is
// written to in its place.
func TestChangesOfEachKindAreSeen(t *testing.T) {
	f := newFolder(t)
	below := filepath.Join(f.path, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := make(chan []Pod, 100)
	done := make(chan error, 1)
	go func() { done <- f.Watch(ctx, func(p []Pod) { reports <- p }) }()
	<-reports
	f.write(t, "below/1.yaml", cartYAML)
	if p := <-reports; len(p) != 1 || p[0].Name != "cart" {
		t.Errorf("got %v, want cart", p)
	}
	text := strings.Replace(cartYAML, "name: cart", "name: other", 1) + "\n"
	if err := os.WriteFile(filepath.Join(below, "1.yaml"), []byte(text), 0o600); err != nil { // in its place
		t.Fatal(err)
	}
	for p := range reports {
		if len(p) == 1 && p[0].Name == "other" {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchOfNoDirectoryIsAnError(t *testing.T) {
	d := NewDirectory(filepath.Join(t.TempDir(), "none"), "n1", time.Second, slog.New(slog.DiscardHandler))
	if err := d.Watch(t.Context(), func([]Pod) {}); err == nil || !strings.Contains(err.Error(), "--pods-dir") {
		t.Errorf("got %v, want the flag to be named", err)
	}
}

func FuzzParsePods(f *testing.F) {
	f.Add([]byte(cartYAML))
	f.Add([]byte(dbJSON))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[{}]}]}`))
	f.Add([]byte("---\n---\nkind: PodList\napiVersion: v1\nitems: [null]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pods, err := parsePods(text)
		if err != nil && pods != nil {
			t.Errorf("%d pods beside the error %v", len(pods), err)
		}
		for _, p := range pods {
			if p.Namespace == "" || p.Name == "" {
				t.Errorf("a pod without a name: %+v", p)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

const other = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, namespace: x}\n"

// watched runs a story over a watched folder: each step changes files, then
// the watcher is given time to look, then the policies in force are compared.
func watched(t *testing.T, first map[string]string, story func(dir string, step func(change func(), policies, problem string))) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, first)
	synctest.Test(t, func(t *testing.T) {
		w, err := manifest.Watch(t.Context(), []string{dir}, manifest.Options{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		story(dir, func(change func(), want, problem string) {
			t.Helper()
			change()
			time.Sleep(manifest.DefaultInterval + time.Millisecond) // of the bubble's clock
			synctest.Wait()
			s := w.Snapshot()
			if got := policies(s); got != want {
				t.Errorf("policies %q, want %q", got, want)
			}
			if got := strings.Join(problems(s), "; "); !strings.Contains(got, problem) || problem == "" && got != "" {
				t.Errorf("problems %q, want %q", got, problem)
			}
		})
		select {
		case <-w.Changes():
		default:
			t.Error("no change was told of")
		}
	})
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	watched(t, map[string]string{"a.yaml": policyHead}, func(dir string, step func(func(), string, string)) {
		a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "sub", "b.yaml")
		const p, q = "NetworkPolicy x/p", "NetworkPolicy x/q"
		step(func() {}, p, "")
		step(func() { write(t, dir, map[string]string{"sub/b.yaml": other}) }, p+", "+q, "")
		step(func() { put(t, a, "][") }, p+", "+q, "does not parse as YAML: did not find expected node content; correct it (the other documents are used); the last good version stays in force")
		step(func() { put(t, a, policyHead+"spec: {pod: {}}\n") }, p+", "+q, "unknown field")
		step(func() { put(t, a, policyHead+"spec: {pod: {}}\n") }, p+", "+q, "; the last good version stays in force")
		step(func() { put(t, a, policyHead) }, p+", "+q, "")
		step(func() { _ = os.Remove(a) }, q, "")
		step(func() { put(t, b, policyHead) }, p, "")
		step(func() { _ = os.RemoveAll(dir) }, p, "no such file or directory; what was read before stays in force")
		step(func() { write(t, dir, map[string]string{"c.yaml": other}) }, q, "")
	})
}

// A spoilt object keeps its last good version; its neighbours are the new ones.
func TestWatchOneObject(t *testing.T) {
	watched(t, map[string]string{"a.yaml": policyHead + "---\n" + other}, func(dir string, step func(func(), string, string)) {
		a := filepath.Join(dir, "a.yaml")
		renamed := strings.ReplaceAll(other, "name: q", "name: r")
		step(func() { put(t, a, policyHead+"spec: 1\n---\n"+renamed) }, "NetworkPolicy x/p, NetworkPolicy x/r", "4 spec: want fields")
	})
}

// Nothing changed: nothing is told.
func TestWatchQuiet(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyHead})
	synctest.Test(t, func(t *testing.T) {
		w, err := manifest.Watch(t.Context(), []string{dir}, manifest.Options{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		before := w.Snapshot()
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.Snapshot() != before || len(w.Changes()) > 0 {
			t.Error("a new snapshot without a change")
		}
	})
}

// A file that changed long ago is not read again and again: by size and time
// it is as it was. One that changed just now is, since it may change once more
// without showing it.
func TestWatchReadsOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	renamed := strings.ReplaceAll(policyHead, "name: p", "name: z") // as long as before
	for name, tt := range map[string]struct {
		age  time.Duration
		want string
	}{"old": {time.Hour, "NetworkPolicy x/p"}, "fresh": {time.Second, "NetworkPolicy x/z"}} {
		put(t, file, policyHead)
		synctest.Test(t, func(t *testing.T) {
			changed := time.Now().Add(-tt.age)
			if err := os.Chtimes(file, changed, changed); err != nil {
				t.Fatal(err)
			}
			w, err := manifest.Watch(t.Context(), []string{dir}, manifest.Options{Clock: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			put(t, file, renamed)
			if err := os.Chtimes(file, changed, changed); err != nil {
				t.Fatal(err)
			}
			time.Sleep(manifest.DefaultInterval + time.Millisecond)
			synctest.Wait()
			if got := policies(w.Snapshot()); got != tt.want {
				t.Errorf("%s: policies %q, want %q", name, got, tt.want)
			}
		})
	}
}

func TestWatchMissingPath(t *testing.T) {
	if _, err := manifest.Watch(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, manifest.Options{}); err == nil {
		t.Error("want an error")
	}
}

// A watched folder without manifests is said, until it has one.
func TestWatchSaysEmptyFolders(t *testing.T) {
	watched(t, nil, func(dir string, step func(func(), string, string)) {
		step(func() {}, "", "the folder holds no manifests")
		step(func() { write(t, dir, map[string]string{"a.yaml": policyHead}) }, "NetworkPolicy x/p", "")
		step(func() { _ = os.Remove(filepath.Join(dir, "a.yaml")) }, "", "the folder holds no manifests")
	})
}

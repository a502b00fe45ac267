// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/recommend"
)

const (
	first  = "# a\nkind: A\nspec:\n  x: 1\n"
	second = "kind: B\nspec:\n  y: 1 # last\n"
)

func tightened(file string, line int, before, after string) recommend.Recommendation {
	return recommend.Recommendation{Kind: recommend.KindTighten, File: file, Line: line, Before: before, After: after, Policy: analyze.Ref{Kind: "NetworkPolicy", Namespace: "ns", Name: "p"}}
}

func newPolicy(name, after string) recommend.Recommendation {
	return recommend.Recommendation{Kind: recommend.KindNew, After: after, Policy: analyze.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: "ns", Name: name}}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// tree lists what is below a folder, with what is in it.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			out[path] = text(t, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWriteKeepsWhatItIsNotAskedToChange: other documents, line ends,
// permissions and symbolic links.
func TestWriteKeepsWhatItIsNotAskedToChange(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"two documents":          {first + "---\n" + second, strings.Replace(first, "1", "2", 1) + "---\n" + strings.Replace(second, "1", "3", 1)},
		"no line end at the end": {first + "---\n" + strings.TrimSuffix(second, "\n"), strings.Replace(first, "1", "2", 1) + "---\n" + strings.Replace(strings.TrimSuffix(second, "\n"), "1", "3", 1)},
	} {
		dir := t.TempDir()
		real, link := filepath.Join(dir, "real", "p.yaml"), filepath.Join(dir, "p.yaml")
		put(t, real, c.before)
		if err := os.Symlink(filepath.Join("real", "p.yaml"), link); err != nil {
			t.Fatal(err)
		}
		_, tail, _ := strings.Cut(c.before, "kind: B")
		last := "kind: B" + tail
		plan, err := Plan(dir, []recommend.Recommendation{
			tightened(link, 6, last, strings.Replace(second, "1", "3", 1)), tightened(link, 1, first, strings.Replace(first, "1", "2", 1)), newPolicy("fresh", "kind: C\n"),
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err = Write(plan); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := os.Lstat(link)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s: the link is %v, %v", name, info.Mode(), err)
		}
		if info, _ = os.Stat(real); info.Mode().Perm() != 0o640 || text(t, real) != c.after {
			t.Errorf("%s: %v\n%s", name, info.Mode(), text(t, real))
		}
		if got := tree(t, dir); len(got) != 2 || got[filepath.Join(dir, Folder, "ns-fresh.yaml")] != "kind: C\n" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWriteAllOrNone: whatever goes wrong, every file is as it was and nothing
// is left behind.
func TestWriteAllOrNone(t *testing.T) {
	for name, spoil := range map[string]func(dir string){
		"a file changed meanwhile": func(dir string) { put(t, filepath.Join(dir, "b.yaml"), "kind: Z\n") },
		"a file went":              func(dir string) { _ = os.Remove(filepath.Join(dir, "b.yaml")) },
		"a new one came":           func(dir string) { put(t, filepath.Join(dir, Folder, "ns-fresh.yaml"), "kind: Z\n") },
		"a file in the way":        func(dir string) { put(t, filepath.Join(dir, Folder), "") },
	} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
		put(t, a, first)
		put(t, b, second)
		plan, err := Plan(dir, []recommend.Recommendation{tightened(a, 1, first, "kind: A\n"), tightened(b, 1, second, "kind: B\n"), newPolicy("fresh", "kind: C\n")})
		if err != nil {
			t.Fatal(err)
		}
		spoil(dir)
		before := tree(t, dir)
		if err := Write(plan); err == nil {
			t.Errorf("%s: written", name)
		}
		if after := tree(t, dir); len(after) != len(before) || after[a] != before[a] || after[b] != before[b] {
			t.Errorf("%s: %v became %v", name, before, after)
		}
	}
}

// TestFoldersTakenBack: a folder that was made for a file goes again where
// another file fails.
func TestFoldersTakenBack(t *testing.T) {
	dir := t.TempDir()
	err := Write([]File{
		{Path: filepath.Join(dir, "made", "deep", "x.yaml"), After: []byte("x"), New: true},
		{Path: filepath.Join(dir, "made"), After: []byte("y"), New: true},
	})
	left, readErr := os.ReadDir(dir)
	if err == nil || readErr != nil || len(left) > 0 {
		t.Errorf("%v, %v; left behind: %v", err, readErr, left)
	}
}

// TestRenameTakenBack: a rename that fails takes back those before it.
func TestRenameTakenBack(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	put(t, a, first)
	one := &staged{file: File{Path: a, Before: []byte(first), After: []byte("kind: A\n")}}
	if err := one.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := one.commit(); err != nil || text(t, a) != "kind: A\n" {
		t.Fatal(err)
	}
	two := &staged{file: File{Path: filepath.Join(dir, "new", "c.yaml"), After: []byte("kind: C\n"), New: true}}
	if err := two.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(two.commit(), one.undo(), two.undo()); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); text(t, a) != first || len(got) != 1 {
		t.Errorf("%s: %v", b, got)
	}
}

func TestPlanRefuses(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.yaml")
	put(t, a, first+"---\n"+second)
	for name, list := range map[string][]recommend.Recommendation{
		"another text":   {tightened(a, 1, "kind: Other\n", "x")},
		"another line":   {tightened(a, 2, first, "x")},
		"past the end":   {tightened(a, 99, first, "x")},
		"a missing file": {tightened(filepath.Join(dir, "none.yaml"), 1, first, "x")},
		"twice":          {newPolicy("x", "a\n"), newPolicy("x", "b\n")},
		"the same lines": {tightened(a, 1, first, "x"), tightened(a, 1, first, "y")},
	} {
		if plan, err := Plan(dir, list); err == nil {
			t.Errorf("%s: planned %v", name, plan)
		}
	}
	withheld := newPolicy("y", "a\n")
	withheld.Withheld = "no"
	if plan, err := Plan(dir, []recommend.Recommendation{withheld}); err != nil || len(plan) > 0 {
		t.Errorf("withheld: %v %v", plan, err)
	}
}

// TestGitTakesPatches applies patches with git itself: several documents of a
// file, new files, texts without a line end.
func TestGitTakesPatches(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	for _, end := range []string{"", "\n"} {
		dir := t.TempDir()
		t.Chdir(dir)
		before := first + "---\n" + strings.Repeat("kind: Filler\n---\n", 20) + strings.TrimSuffix(second, "\n") + end
		put(t, "a.yaml", before)
		_, tail, _ := strings.Cut(before, "kind: B")
		last := "kind: B" + tail
		plan, err := Plan(".", []recommend.Recommendation{
			tightened("a.yaml", 1, first, "# a\n# b\nkind: A\n"), tightened("a.yaml", 46, last, "kind: B\nspec: {}\n"), newPolicy("fresh", "kind: C"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var patch strings.Builder
		for _, f := range plan {
			patch.WriteString(f.Patch())
		}
		cmd := exec.CommandContext(t.Context(), git, "apply", "--verbose", "-")
		cmd.Stdin = strings.NewReader(patch.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, patch.String())
		}
		for _, f := range plan {
			if got := text(t, f.Path); got != string(f.After) {
				t.Errorf("%s: git made\n%s\nwant\n%s", f.Path, got, f.After)
			}
		}
	}
}

// TestKustomizations: new files are listed where kustomize looks for them, below
// what is there; comments, order and style stay, and nothing is listed twice.
func TestKustomizations(t *testing.T) {
	const begin = "# What runs here.\nkind: Kustomization\n"
	for name, c := range map[string]struct {
		files map[string]string
		at    string // of what changes
		want  string
	}{
		"none":     {map[string]string{"a.yaml": first}, "", ""},
		"block":    {map[string]string{"kustomization.yaml": begin + "resources:\n- b.yaml # the second\n- a.yaml\n\nimages: []\n"}, "kustomization.yaml", begin + "resources:\n- b.yaml # the second\n- a.yaml\n- netcinch/ns-fresh.yaml\n- netcinch/ns-other.yaml\n\nimages: []\n"},
		"flow":     {map[string]string{"kustomization.yml": "resources: [a.yaml]\n"}, "kustomization.yml", "resources: [a.yaml, netcinch/ns-fresh.yaml, netcinch/ns-other.yaml]\n"},
		"indented": {map[string]string{"Kustomization": "resources:\n  - 'a.yaml'\n# end\n"}, "Kustomization", "resources:\n  - 'a.yaml'\n  - netcinch/ns-fresh.yaml\n  - netcinch/ns-other.yaml\n# end\n"},
		"no list":  {map[string]string{"kustomization.yaml": "namespace: ns\n"}, "kustomization.yaml", "namespace: ns\nresources:\n  - netcinch/ns-fresh.yaml\n  - netcinch/ns-other.yaml\n"},
		"one listed": {
			map[string]string{"kustomization.yaml": "resources:\n- ./netcinch/ns-fresh.yaml\n"},
			"kustomization.yaml",
			"resources:\n- ./netcinch/ns-fresh.yaml\n- netcinch/ns-other.yaml\n",
		},
		"both listed":      {map[string]string{"kustomization.yaml": "resources:\n- netcinch/ns-other.yaml\n- netcinch/ns-fresh.yaml\n"}, "", ""},
		"a folder's own":   {map[string]string{"kustomization.yaml": "resources: [netcinch]\n", "netcinch/kustomization.yaml": "resources:\n- x.yaml\n"}, "netcinch/kustomization.yaml", "resources:\n- x.yaml\n- ns-fresh.yaml\n- ns-other.yaml\n"},
		"a folder to come": {map[string]string{"kustomization.yaml": "resources: [./netcinch/]\n"}, "netcinch/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n    - ns-fresh.yaml\n    - ns-other.yaml\n"},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			put(t, filepath.Join(dir, file), text)
		}
		before := tree(t, dir)
		plan, err := Plan(dir, []recommend.Recommendation{newPolicy("other", "kind: D\n"), newPolicy("fresh", "kind: C\n")})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := Write(plan); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after := tree(t, dir)
		for path, text := range after {
			rel, _ := filepath.Rel(dir, path)
			if want, there := before[path]; rel == c.at && text != c.want || rel != c.at && there && text != want {
				t.Errorf("%s: %s is\n%s\nwant\n%s", name, rel, text, c.want)
			}
		}
		if _, there := after[filepath.Join(dir, c.at)]; !there && c.at != "" {
			t.Errorf("%s: there is no %s", name, c.at)
		}
	}
}

// TestKustomizationRefused: a list that can't be added to stops everything.
func TestKustomizationRefused(t *testing.T) {
	for name, text := range map[string]string{"no list": "resources: {a: b}\n", "no YAML": "resources: [\n", "two documents": "resources: []\n---\nresources: []\n"} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "kustomization.yaml"), text)
		if _, err := Plan(dir, []recommend.Recommendation{newPolicy("fresh", "kind: C\n")}); err == nil || !strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKustomizeLayoutAddsToTheList: what is listed in the folder stays.
func TestKustomizeLayoutAddsToTheList(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "kustomization.yaml"), "resources:\n- mine.yaml # mine\n")
	for range 2 {
		plan, err := Lay(Kustomize, dir, nil, "", []recommend.Recommendation{newPolicy("fresh", "kind: C\n")})
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(plan); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, filepath.Join(dir, "kustomization.yaml")); got != "resources:\n- mine.yaml # mine\n- ns-fresh.yaml\n" {
		t.Errorf("%s", got)
	}
}

func TestLayouts(t *testing.T) {
	dir := t.TempDir()
	src, out := filepath.Join(dir, "src"), filepath.Join(dir, "out")
	put(t, filepath.Join(src, "sub", "a.yaml"), first)
	put(t, filepath.Join(src, "note.txt"), "hello\n")
	put(t, filepath.Join(src, ".git", "config"), "secret\n")
	list := []recommend.Recommendation{tightened(filepath.Join(src, "sub", "a.yaml"), 1, first, "kind: A\n"), newPolicy("fresh", "kind: C\n")}
	for layout, want := range map[Layout][]string{
		Copy: {"netcinch/ns-fresh.yaml", "note.txt", "sub/a.yaml"}, Kustomize: {"kustomization.yaml", "ns-fresh.yaml", "ns-p-networkpolicy.yaml"}, Single: {"recommendations.yaml"},
	} {
		at := filepath.Join(out, string(layout))
		plan, err := Lay(layout, at, []string{src}, src, list)
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(plan); err != nil {
			t.Fatal(err)
		}
		var got []string
		for path := range tree(t, at) {
			rel, _ := filepath.Rel(at, path)
			got = append(got, rel)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", layout, got, want)
		}
		if again, err := Lay(layout, at, []string{src}, src, list); err != nil || len(again) > 0 {
			t.Errorf("%s again: %v %v", layout, again, err)
		}
	}
	if got := text(t, filepath.Join(out, "copy", "sub", "a.yaml")); got != "kind: A\n" {
		t.Errorf("the copy has %q", got)
	}
	if _, err := Lay("heap", out, nil, dir, list); err == nil {
		t.Error("an unknown layout is taken")
	}
}

// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/recommend"
)

// File is a file as it is to be.
type File struct {
	Path   string
	Before []byte // nil with New
	After  []byte
	New    bool
	parts  []recommend.Part
}

// Patch is the change as git apply takes it.
func (f File) Patch() string {
	name := strings.TrimPrefix(filepath.ToSlash(filepath.Clean(f.Path)), "/")
	if f.New {
		return recommend.PatchNew(name, string(f.After))
	}
	return recommend.Patch(name, string(f.Before), f.parts)
}

// Folder is the folder for new files below a root of manifests.
const Folder = "netcinch"

// Plan says what becomes of the files of some recommendations: each existing
// policy is edited in its place, each new one gets a file in Folder below root.
// Withheld ones are left out. Where a kustomization lists the folder's files,
// new ones are listed too. The files are sorted by path. An error names a
// file that can't be edited; then nothing ought to be written.
func Plan(root string, list []recommend.Recommendation) ([]File, error) {
	var out []File
	edited := map[string][]recommend.Recommendation{}
	for _, r := range list {
		switch {
		case r.Withheld != "":
		case r.Kind == recommend.KindTighten && r.File != "" && r.InPlace():
			edited[r.File] = append(edited[r.File], r)
		default:
			f, err := fresh(filepath.Join(root, Folder, Name(r)), r)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	for path, list := range edited {
		f, err := editedIn(path, list)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	more, err := listed(root, out)
	if err != nil {
		return nil, err
	}
	out = append(out, more...)
	slices.SortFunc(out, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	for i := 1; i < len(out); i++ {
		if out[i].Path == out[i-1].Path {
			return nil, fmt.Errorf("%s would be written twice; rename one of the policies", out[i].Path)
		}
	}
	return out, nil
}

// Name is the file of a new policy, told by its kind, namespace and name.
func Name(r recommend.Recommendation) string {
	parts := []string{r.Policy.Namespace, r.Policy.Name}
	if r.Policy.Namespace == "" {
		parts = []string{"cluster", r.Policy.Name}
	}
	if r.Policy.Kind != "NetworkPolicy" || !strings.HasPrefix(r.Policy.APIVersion, "networking.k8s.io/") {
		parts = append(parts, strings.ToLower(r.Policy.Kind))
	}
	return strings.Join(parts, "-") + ".yaml"
}

// fresh plans a new file. One that is there already and says the same stays.
func fresh(path string, r recommend.Recommendation) (File, error) {
	f := File{Path: path, After: []byte(ended(r.After)), New: true}
	there, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return f, fmt.Errorf("looking for %s: %w", path, plain(err))
	}
	f.New, f.Before = false, there
	f.parts = []recommend.Part{{First: 1, Before: string(there), After: string(f.After)}}
	return f, nil
}

// editedIn plans the change of one file, which may have several policies.
func editedIn(path string, list []recommend.Recommendation) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("reading %s again: %w", path, plain(err))
	}
	slices.SortFunc(list, func(a, b recommend.Recommendation) int { return cmp.Compare(a.Line, b.Line) })
	f := File{Path: path, Before: text}
	var out bytes.Buffer
	done := 0
	for _, r := range list {
		at := offset(text, max(r.Line, 1))
		if at < done || !bytes.HasPrefix(text[at:], []byte(r.Before)) || r.Before == "" {
			return File{}, fmt.Errorf("%s line %d does not have %s %s/%s as it was read: the file has changed, or the policy is an item of a list; nothing was written",
				path, r.Line, r.Policy.Kind, r.Policy.Namespace, r.Policy.Name)
		}
		after := r.After
		if !strings.HasSuffix(r.Before, "\n") && at+len(r.Before) == len(text) {
			after = strings.TrimSuffix(after, "\n")
		}
		out.Write(text[done:at])
		out.WriteString(after)
		done = at + len(r.Before)
		f.parts = append(f.parts, recommend.Part{First: max(r.Line, 1), Before: r.Before, After: after})
	}
	out.Write(text[done:])
	f.After = out.Bytes()
	return f, nil
}

// offset is where a line begins, from 1; past the end for lines that are not
// there.
func offset(text []byte, line int) int {
	at := 0
	for range line - 1 {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return len(text)
		}
		at += n + 1
	}
	return at
}

func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// plain takes the operation out of an error of the file system; the text about
// it names the path.
func plain(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

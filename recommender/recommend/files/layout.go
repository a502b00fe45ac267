// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/recommend"
)

// Layout says how files are laid out in a folder of their own.
type Layout string

// The layouts.
const (
	Copy      Layout = "copy"      // the manifests that were read, with the changes in them
	Kustomize Layout = "kustomize" // a file for each recommendation, and a kustomization.yaml that lists them
	Single    Layout = "single"    // one file with all recommendations
)

// Layouts lists them.
var Layouts = []Layout{Copy, Kustomize, Single}

// Lay plans the files of a layout in the folder out. roots are the files and
// folders that were read, for Copy, and root is the folder that Plan puts new
// files below. What is in out already and would become
// something else is an error: it is nobody's to overwrite.
func Lay(layout Layout, out string, roots []string, root string, list []recommend.Recommendation) ([]File, error) {
	var files []File
	var err error
	switch layout {
	case Copy:
		files, err = copied(out, roots, root, list)
	case Kustomize:
		files, err = kustomized(out, list)
	case Single:
		files = []File{{Path: singlePath(out), After: []byte(Documents(list)), New: true}}
	default:
		return nil, fmt.Errorf("there is no layout %q; want copy, kustomize or single", layout)
	}
	if err != nil {
		return nil, err
	}
	return absent(files)
}

// absent drops the files that are there and say the same, and refuses others.
func absent(files []File) ([]File, error) {
	var out []File
	for _, f := range files {
		if !f.New { // a list that is there, with more in it
			out = append(out, f)
			continue
		}
		there, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out = append(out, f)
		case err != nil:
			return nil, fmt.Errorf("looking for %s: %w", f.Path, plain(err))
		case !slices.Equal(there, f.After):
			return nil, fmt.Errorf("%s is there already and says something else; give an empty folder", f.Path)
		}
	}
	return out, nil
}

func singlePath(out string) string {
	if ext := filepath.Ext(out); ext == ".yaml" || ext == ".yml" {
		return out
	}
	return filepath.Join(out, "recommendations.yaml")
}

// Documents writes all that is offered as one text of YAML documents.
func Documents(list []recommend.Recommendation) string {
	var b strings.Builder
	for _, r := range list {
		if r.Withheld == "" {
			b.WriteString("---\n" + ended(r.After))
		}
	}
	return b.String()
}

// copied copies what was read and puts the changes in.
func copied(out string, roots []string, root string, list []recommend.Recommendation) ([]File, error) {
	plan, err := Plan(root, list)
	if err != nil {
		return nil, err
	}
	changed := map[string]File{}
	for _, f := range plan {
		changed[filepath.Clean(f.Path)] = f
	}
	var files []File
	for _, root := range roots {
		into := out
		if len(roots) > 1 {
			into = filepath.Join(out, filepath.Base(root))
		}
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return fmt.Errorf("copying %s: %w", path, plain(err))
			}
			if name := entry.Name(); path != root && strings.HasPrefix(name, ".") {
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			info, err := os.Stat(path) // what a link points to
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("copying %s: %w", path, plain(err))
			}
			if f, ok := changed[filepath.Clean(path)]; ok {
				text = f.After
				delete(changed, filepath.Clean(path))
			}
			files = append(files, File{Path: filepath.Join(into, within(root, path)), After: text, New: true})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	below := out
	if len(roots) > 1 && filepath.Clean(roots[0]) == filepath.Clean(root) {
		below = filepath.Join(out, filepath.Base(root))
	}
	for _, f := range plan {
		if _, left := changed[filepath.Clean(f.Path)]; left && f.New {
			files = append(files, File{Path: filepath.Join(below, Folder, filepath.Base(f.Path)), After: f.After, New: true})
		}
	}
	return files, nil
}

// within is where a file of a root goes in the copy.
func within(root, path string) string {
	if rel, err := filepath.Rel(root, path); err == nil && rel != "." {
		return rel
	}
	return filepath.Base(path)
}

// kustomized writes each recommendation into a file, and the list of them; a
// list that is there already is added to.
func kustomized(out string, list []recommend.Recommendation) ([]File, error) {
	var names []string
	var files []File
	for _, r := range list {
		if r.Withheld != "" {
			continue
		}
		name := Name(r)
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("two recommendations would be %s; rename one of the policies", name)
		}
		names = append(names, name)
		files = append(files, File{Path: filepath.Join(out, name), After: []byte(ended(r.After)), New: true})
	}
	at, err := kustomizationIn(out)
	if err != nil {
		return nil, err
	}
	if at == "" {
		made, failed := newKustomization(out, names)
		return append(files, made), failed
	}
	f, changed, err := enlisted(at, names)
	if err == nil && changed {
		files = append(files, f)
	}
	return files, err
}

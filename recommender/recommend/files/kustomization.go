// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// kustomizations are the names under which kustomize looks for its list.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// listed plans the change of the kustomization that new files have to be listed
// in: that of their own folder, else that of root, where there is one.
func listed(root string, plan []File) ([]File, error) {
	own := filepath.Join(root, Folder)
	var names []string
	for _, f := range plan {
		if filepath.Dir(f.Path) == own {
			names = append(names, filepath.Base(f.Path))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	at, err := kustomizationIn(own)
	if err != nil {
		return nil, err
	}
	if at == "" {
		if at, err = kustomizationIn(root); at == "" || err != nil {
			return nil, err
		}
		whole, wrong := lists(at, Folder)
		if wrong != nil {
			return nil, wrong
		}
		if whole { // the folder is listed, and is to be a kustomization of its own
			f, bad := newKustomization(own, names)
			return []File{f}, bad
		}
		for i, name := range names {
			names[i] = path.Join(Folder, name)
		}
	}
	f, changed, err := enlisted(at, names)
	if err != nil || !changed {
		return nil, err
	}
	return []File{f}, nil
}

// kustomizationIn finds the kustomization of a folder; empty where it has none.
func kustomizationIn(dir string) (string, error) {
	for _, name := range kustomizations {
		at := filepath.Join(dir, name)
		_, err := os.Stat(at)
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for %s: %w", at, plain(err))
		}
	}
	return "", nil
}

// resources gives a kustomization's list of files, and the document that it
// stands in; nil where it has none.
func resources(at string, text []byte) (*edit.Document, *yaml.Node, error) {
	doc, err := edit.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: the new files can't be listed: %w; list them by hand, or give --out", at, err)
	}
	list := edit.Field(doc.Root(), "resources")
	if list != nil && list.Tag == "!!null" {
		list = nil
	}
	if list != nil && list.Kind != yaml.SequenceNode {
		return nil, nil, fmt.Errorf("%s: resources is not a list; list the new files by hand, or give --out", at)
	}
	return doc, list, nil
}

func lists(at, name string) (bool, error) {
	text, err := os.ReadFile(at)
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", at, plain(err))
	}
	_, list, err := resources(at, text)
	return list != nil && has(list, name), err
}

func has(list *yaml.Node, name string) bool {
	return slices.ContainsFunc(list.Content, func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && path.Clean(n.Value) == name })
}

// enlisted adds files to the list of a kustomization: below what is there, which
// stays as its author wrote it.
func enlisted(at string, names []string) (f File, changed bool, err error) {
	text, err := os.ReadFile(at)
	if err != nil {
		return f, false, fmt.Errorf("reading %s: %w", at, plain(err))
	}
	doc, list, err := resources(at, text)
	if err != nil {
		return f, false, err
	}
	if list == nil {
		list = edit.List()
		edit.SetField(doc.Root(), "resources", list)
	}
	slices.Sort(names)
	for _, name := range names {
		if !has(list, name) {
			list.Content = append(list.Content, edit.Text(name))
			changed = true
		}
	}
	after, err := doc.Bytes()
	if err != nil {
		return f, false, fmt.Errorf("%s: the new files can't be listed: %w; list them by hand, or give --out", at, err)
	}
	f = File{Path: at, Before: text, After: after, parts: []recommend.Part{{First: 1, Before: string(text), After: string(after)}}}
	return f, changed && !bytes.Equal(text, after), nil
}

// newKustomization lists files in a kustomization of their own.
func newKustomization(dir string, names []string) (File, error) {
	slices.Sort(names)
	text, err := yaml.Marshal(struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Resources  []string `yaml:"resources"`
	}{"kustomize.config.k8s.io/v1beta1", "Kustomization", names})
	if err != nil {
		return File{}, fmt.Errorf("writing kustomization.yaml: %w", err)
	}
	return File{Path: filepath.Join(dir, "kustomization.yaml"), After: text, New: true}, nil
}

// SPDX-License-Identifier: Apache-2.0

package api

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/recommend"
)

// bundle is what goes into one download.
type bundle struct {
	cluster string
	at      time.Time
	chosen  []*recommend.Recommendation
}

// pack is a way to write a bundle.
type pack struct {
	kind, ending string
	write        func(*bundle) ([]byte, error)
}

// packs are the ways, by the name that a caller gives.
var packs = map[string]pack{
	"":          {"application/yaml", ".yaml", func(b *bundle) ([]byte, error) { return b.yaml(), nil }},
	"yaml":      {"application/yaml", ".yaml", func(b *bundle) ([]byte, error) { return b.yaml(), nil }},
	"zip":       {"application/zip", ".zip", func(b *bundle) ([]byte, error) { return b.zip(false) }},
	"kustomize": {"application/zip", "-kustomize.zip", func(b *bundle) ([]byte, error) { return b.zip(true) }},
}

// head says where the manifests are from, and names what is not offered: what
// is applied must say what it leaves out.
func (b *bundle) head() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Recommended by Netcinch for cluster %s at %s.\n", oneLine(b.cluster), b.at.Format("2006-01-02 15:04:05 MST"))
	for _, r := range b.chosen {
		if r.Withheld != "" {
			fmt.Fprintf(&out, "# Not offered: %s: %s.\n", oneLine(r.Title), oneLine(r.Withheld))
		}
	}
	return out.String()
}

// document is one recommendation's manifest, with its title above.
func document(r *recommend.Recommendation) string {
	text := "# " + oneLine(r.Title) + "\n"
	if !r.Ready {
		text += "# Not ready yet: wait until what was seen is enough.\n"
	}
	text += r.ReadinessComment()
	return text + strings.TrimPrefix(strings.TrimRight(r.After, "\n"), "---\n") + "\n"
}

// yaml joins what is offered into one file.
func (b *bundle) yaml() []byte {
	var out strings.Builder
	out.WriteString(b.head())
	for _, r := range b.chosen {
		if r.Withheld == "" {
			out.WriteString("---\n" + document(r))
		}
	}
	return []byte(out.String())
}

// zip writes a file for each recommendation, in a folder for each namespace;
// with kustomize every folder has a kustomization.yaml, and so has the whole.
func (b *bundle) zip(kustomize bool) ([]byte, error) {
	files := b.files()
	if kustomize {
		maps.Copy(files, kustomizations(slices.Sorted(maps.Keys(files))))
	}
	files["README.txt"] = b.readme(kustomize)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.at})
		if err != nil {
			return nil, err
		}
		if _, err = f.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// clusterFolder is where policies of no namespace go. No namespace has such a
// name, for names of namespaces have no underscore.
const clusterFolder = "_cluster"

// files gives the manifests by path. A document that several recommendations
// carry (a network set that they share) is in the first one's file alone, since
// kustomize refuses to read an object twice.
func (b *bundle) files() map[string]string {
	files := map[string]string{}
	seen := map[string]bool{}
	for _, r := range b.chosen {
		if r.Withheld != "" {
			continue
		}
		var kept []string
		for text := range strings.SplitSeq(document(r), "\n---\n") {
			if !seen[text] {
				kept = append(kept, strings.TrimRight(text, "\n"))
			}
			seen[text] = true
		}
		folder := cmp.Or(inFileName(r.Policy.Namespace), clusterFolder)
		path := folder + "/" + inFileName(r.Policy.Name) + ".yaml"
		for n := 2; files[path] != ""; n++ { // of two kinds with one name
			path = fmt.Sprintf("%s/%s-%d.yaml", folder, inFileName(r.Policy.Name), n)
		}
		files[path] = strings.Join(kept, "\n---\n") + "\n"
	}
	return files
}

func kustomizations(paths []string) map[string]string {
	folders := map[string][]string{}
	for _, path := range paths {
		folder, name, _ := strings.Cut(path, "/")
		folders[folder] = append(folders[folder], name)
	}
	out := map[string]string{"kustomization.yaml": kustomization(slices.Sorted(maps.Keys(folders)))}
	for folder, names := range folders {
		out[folder+"/kustomization.yaml"] = kustomization(names)
	}
	return out
}

func kustomization(resources []string) string {
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	if len(resources) == 0 {
		return text + "resources: []\n"
	}
	return text + "resources:\n  - " + strings.Join(resources, "\n  - ") + "\n"
}

func (b *bundle) readme(kustomize bool) string {
	how := "Apply it with your own rights, after reading it:\n\n    kubectl apply --recursive -f FOLDER\n"
	if kustomize {
		how = "Apply it with your own rights, after reading it (a folder within it works, too):\n\n    kubectl diff -k FOLDER\n    kubectl apply -k FOLDER\n"
	}
	var notes strings.Builder
	for line := range strings.Lines(b.head()) {
		notes.WriteString(strings.TrimPrefix(line, "# "))
	}
	return notes.String() + "\n" + how
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func inFileName(s string) string {
	return strings.TrimLeft(notInFileName.ReplaceAllString(s, "-"), ".")
}

// fileName is the name of a download, without its ending.
func fileName(q question, chosen []*recommend.Recommendation) string {
	switch {
	case q.id != "":
		return inFileName(strings.Trim(chosen[0].Policy.Namespace+"-"+chosen[0].Policy.Name, "-"))
	case q.namespace != "":
		return inFileName(q.namespace + "-policies")
	}
	return "netcinch"
}

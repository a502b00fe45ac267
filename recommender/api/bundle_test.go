// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func unpacked(t *testing.T, body []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("not a zip archive: %v", err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// documents gives kind, namespace and name of every object in some files.
func documents(t *testing.T, files map[string]string) []string {
	t.Helper()
	var out []string
	for name, text := range files {
		if path.Ext(name) != ".yaml" || path.Base(name) == "kustomization.yaml" {
			continue
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			var o struct {
				Kind     string
				Metadata struct{ Namespace, Name string }
			}
			if err := yaml.Unmarshal([]byte(document), &o); err != nil || o.Kind == "" {
				t.Errorf("%s has something that is no object (%v):\n%s", name, err, document)
			}
			out = append(out, o.Kind+" "+o.Metadata.Namespace+"/"+o.Metadata.Name)
		}
	}
	slices.Sort(out)
	return out
}

func TestArchives(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for _, format := range []string{"kubernetes", "calico", "calico-staged", "cluster"} {
		base := "/api/v1/recommendations/download?format=" + format
		plain := unpacked(t, c.do(ask{method: "GET", path: base + "&as=zip", status: 200}))
		single := c.do(ask{method: "GET", path: base + "&as=yaml", status: 200})
		_, all, _ := strings.Cut(string(single), "\n---\n")
		wanted := documents(t, map[string]string{"all.yaml": all})
		if got := documents(t, plain); !slices.Equal(got, wanted) || len(got) == 0 {
			t.Errorf("%s: the zip has\n%v\nwant what the YAML file has\n%v", format, got, wanted)
		}
		if !strings.Contains(plain["README.txt"], "kubectl apply") {
			t.Errorf("%s: README.txt does not say how to apply it: %s", format, plain["README.txt"])
		}
		built := unpacked(t, c.do(ask{method: "GET", path: base + "&as=kustomize", status: 200}))
		if got := documents(t, kustomized(t, built, ".")); !slices.Equal(got, wanted) {
			t.Errorf("%s: kustomize would build\n%v\nwant\n%v", format, got, wanted)
		}
	}
}

// kustomized follows the kustomizations from a folder, as kustomize does: what
// is listed is there, and nothing is listed twice.
func kustomized(t *testing.T, files map[string]string, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	var k struct {
		APIVersion, Kind string
		Resources        []string
	}
	if err := yaml.UnmarshalStrict([]byte(files[path.Join(folder, "kustomization.yaml")]), &k); err != nil || k.Kind != "Kustomization" {
		t.Fatalf("%s has no kustomization: %v %+v", folder, err, k)
	}
	for _, name := range k.Resources {
		at := path.Join(folder, name)
		if path.Ext(name) != ".yaml" {
			maps.Copy(out, kustomized(t, files, at))
			continue
		}
		if files[at] == "" || out[at] != "" {
			t.Errorf("%s lists %s, which is missing or was there before", folder, name)
		}
		out[at] = files[at]
	}
	return out
}

func TestArchiveNamesWhatItLeavesOut(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	withheld := 0
	for _, one := range into[items](t, c.do(ask{method: "GET", path: "/api/v1/recommendations", status: 200})).Items {
		if one["withheld"] == nil {
			continue
		}
		withheld++
		files := unpacked(t, c.do(ask{method: "GET", path: "/api/v1/recommendations/download?as=zip", status: 200}))
		if title := one["title"].(string); !strings.Contains(files["README.txt"], "Not offered: "+title) {
			t.Errorf("%q is withheld, and README.txt does not say so: %s", title, files["README.txt"])
		}
		c.do(ask{method: "GET", path: "/api/v1/recommendations/download?as=zip&id=" + one["id"].(string), status: http.StatusConflict})
	}
	if withheld == 0 {
		t.Error("nothing is withheld in this cluster: the test says nothing")
	}
}

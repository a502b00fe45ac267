// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const source = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(%s) }\n"

// compile builds a program as the images' are, in a folder of its own.
func compile(t *testing.T, words string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.test/hello\n\ngo 1.26.0\n", "main.go": strings.Replace(source, "%s", `"`+words+`"`, 1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "go", append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", "hello"}, more...)...)
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return filepath.Join(dir, "hello")
}

func digestOf(t *testing.T, binary string) (digest, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "image.tar")
	var out bytes.Buffer
	if err := run([]string{"-binary", binary, "-tag", "example.test/hello:1", "-version", "1", "-o", path}, &out); err != nil {
		t.Fatal(err)
	}
	digest, _, _ = strings.Cut(out.String(), " ")
	return digest, path
}

// Built twice, in different folders, an image is the same; of another program
// it is another.
func TestImagesAreReproducible(t *testing.T) {
	first, path := digestOf(t, compile(t, "hello"))
	again, _ := digestOf(t, compile(t, "hello"))
	other, _ := digestOf(t, compile(t, "goodbye"))
	if first != again || first == other || !strings.HasPrefix(first, "sha256:") {
		t.Errorf("digests %s and %s of the same, %s of another", first, again, other)
	}
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.User != "65532:65532" || file.Config.Entrypoint[0] != "/hello" || file.OS != "linux" || file.Created.Unix() != 0 {
		t.Errorf("config %+v", file.Config)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	body, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string][]byte{}
	for r := tar.NewReader(body); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" || h.Mode&0o6000 != 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		if entries[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var sbom document
	if err := json.Unmarshal(entries["usr/share/sbom/hello.spdx.json"], &sbom); err != nil || len(sbom.Packages) < 2 || sbom.Packages[1].Name != "stdlib" {
		t.Errorf("SBOM: %+v, %v", sbom, err)
	}
	beside, err := os.ReadFile(strings.TrimSuffix(path, ".tar") + ".spdx.json")
	if err != nil || !bytes.Equal(beside, entries["usr/share/sbom/hello.spdx.json"]) {
		t.Errorf("the SBOM beside the image is another: %v", err)
	}
}

// What would not start is not packed.
func TestOnlyStaticBinariesArePacked(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{script: "no Linux binary", compile(t, "hello", "-buildmode=pie"): "linked dynamically", "/nowhere/x": "no such file"} {
		_, _, err := build(options{binary: path})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// The program's own modules are in its SBOM.
func TestSBOMListsModules(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	sbom, err := sbomOf(text, "image", "1")
	if err != nil || !strings.Contains(string(sbom), "pkg:golang/github.com/google/go-containerregistry@v") {
		t.Errorf("%s, %v", sbom, err)
	}
}

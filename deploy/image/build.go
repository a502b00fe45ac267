// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

type options struct {
	binary, version, arch, user string
}

// epoch is the time of everything in an image: when it was packed is nobody's
// business, and would make each one differ.
var epoch = time.Unix(0, 0).UTC()

// build gives the image and its SBOM.
func build(o options) (v1.Image, []byte, error) {
	text, err := os.ReadFile(o.binary)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the binary: %w", err)
	}
	if err := static(text); err != nil {
		return nil, nil, fmt.Errorf("packing %s: %w", o.binary, err)
	}
	program := filepath.Base(o.binary)
	sbom, err := sbomOf(text, program, o.version)
	if err != nil {
		return nil, nil, fmt.Errorf("listing what is in %s: %w", o.binary, err)
	}
	layer, err := layerOf(program, text, sbom)
	if err != nil {
		return nil, nil, err
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "netcinch deploy/image"}})
	if err != nil {
		return nil, nil, fmt.Errorf("making the image: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, nil, fmt.Errorf("making the image: %w", err)
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = o.arch, "linux", v1.Time{Time: epoch}
	file.Config = v1.Config{
		Entrypoint: []string{"/" + program}, User: o.user, WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title": program, "org.opencontainers.image.version": o.version, "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source": "https://github.com/netcinch/netcinch",
		},
	}
	image, err = mutate.ConfigFile(image, file)
	if err != nil {
		return nil, nil, fmt.Errorf("making the image: %w", err)
	}
	return image, sbom, nil
}

// static refuses what would not start in an image that has nothing else in it.
func static(text []byte) error {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("it is no Linux binary: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("it is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// layerOf gives the one layer: the program, where it may write, who it is, and
// what is in it.
func layerOf(program string, text, sbom []byte) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(name string, mode int64, kind byte, body []byte) error {
		h := &tar.Header{Name: name, Mode: mode, Typeflag: kind, Size: int64(len(body)), ModTime: epoch, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(body)
		return err
	}
	for _, e := range []struct {
		name string
		mode int64
		kind byte
		body []byte
	}{
		{"etc/", 0o755, tar.TypeDir, nil},
		{"etc/passwd", 0o644, tar.TypeReg, []byte("root:x:0:0::/:\nnetcinch:x:65532:65532::/:\n")},
		{"etc/group", 0o644, tar.TypeReg, []byte("root:x:0:\nnetcinch:x:65532:\n")},
		{program, 0o755, tar.TypeReg, text},
		{"tmp/", 0o1777, tar.TypeDir, nil},
		{"usr/", 0o755, tar.TypeDir, nil},
		{"usr/share/", 0o755, tar.TypeDir, nil},
		{"usr/share/sbom/", 0o755, tar.TypeDir, nil},
		{"usr/share/sbom/" + program + ".spdx.json", 0o644, tar.TypeReg, sbom},
	} {
		if err := put(e.name, e.mode, e.kind, e.body); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	return layer, nil
}

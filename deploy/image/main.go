// SPDX-License-Identifier: Apache-2.0

// Command image packs a static binary into a container image, without a daemon
// and without a base image: the same binary gives the same bytes on every
// machine. It is a module of its own, so that what it needs stays out of the
// binaries that it packs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(2)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	o := options{}
	flags.StringVar(&o.binary, "binary", "", "static Linux binary to pack")
	flags.StringVar(&o.version, "version", "dev", "version that the image is labelled with")
	flags.StringVar(&o.arch, "arch", "amd64", "architecture of the binary")
	flags.StringVar(&o.user, "user", "65532:65532", "user and group that it runs as")
	tag := flags.String("tag", "", "name of the image, such as netcinch/netcinch:0.1.0")
	to := flags.String("o", "", "tarball to write; the SBOM goes beside it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.binary == "" || *tag == "" || *to == "" {
		return errors.New("give -binary, -tag and -o")
	}
	ref, err := name.NewTag(*tag)
	if err != nil {
		return fmt.Errorf("-tag %s: %w", *tag, err)
	}
	made, sbom, err := build(o)
	if err != nil {
		return err
	}
	if err := write(*to, ref, made, sbom); err != nil {
		return err
	}
	digest, err := made.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s\n", digest, ref)
	return err
}

// write puts the image and its SBOM in place when they are whole.
func write(to string, ref name.Tag, image v1.Image, sbom []byte) error {
	fresh := to + ".new"
	if err := tarball.WriteToFile(fresh, ref, image); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", to, err), os.Remove(fresh))
	}
	if err := os.Rename(fresh, to); err != nil {
		return err
	}
	beside := to[:len(to)-len(filepath.Ext(to))] + ".spdx.json"
	return os.WriteFile(beside, sbom, 0o644)
}

// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// goldenSeeds is how many random clusters of each kind go into the sample.
const goldenSeeds = 200

// writeGolden stores answers that the judges have agreed to.
func writeGolden[T any](t *testing.T, name string, list []T) {
	t.Helper()
	dir := filepath.Join("..", "testdata", "golden")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	encoder := json.NewEncoder(z)
	for _, item := range list {
		if err := encoder.Encode(item); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

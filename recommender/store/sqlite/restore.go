// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/netcinch/netcinch/recommender/store"
)

// Restore makes a store from a backup. The target must not be there or be
// empty. Every file is held against the manifest as it is copied, and the
// store gets its name only when all of them are right.
func Restore(ctx context.Context, backup, target string) (Manifest, error) {
	m, err := readManifest(backup)
	if err != nil {
		return m, fmt.Errorf("restoring from %s: %w", backup, err)
	}
	if err = emptied(target); err != nil {
		return m, fmt.Errorf("restoring to %s: %w", target, err)
	}
	building, err := beside(target)
	if err != nil {
		return m, fmt.Errorf("restoring to %s: %w", target, err)
	}
	if err = copyAll(ctx, backup, building, m); err == nil {
		err = moveInto(building, target)
	}
	if err != nil {
		return m, errors.Join(fmt.Errorf("restoring from %s: nothing is restored: %w", backup, err), os.RemoveAll(building))
	}
	return m, nil
}

// emptied takes the lock file of a store that was never filled away.
func emptied(target string) error {
	entries, err := os.ReadDir(target)
	if err != nil || len(entries) != 1 || entries[0].Name() != lockFile {
		return nil //nolint:nilerr // what cannot be read is judged by who writes there
	}
	if inUse(target) {
		return fmt.Errorf("%w; stop the recommender first", store.ErrLocked)
	}
	return plainly(os.Remove(filepath.Join(target, lockFile)))
}

func copyAll(ctx context.Context, from, to string, m Manifest) error {
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(from, to, f); err != nil {
			return err
		}
	}
	wrong, err := checkFolder(ctx, to)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := wrong[f.Name]; err != nil {
			return err
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} { // left by nobody; a copy must begin without
		for _, f := range m.Files {
			if err := os.Remove(filepath.Join(to, f.Name+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return plainly(err)
			}
		}
	}
	return syncFolder(to)
}

func copyFile(from, to string, want BackupFile) (err error) {
	in, err := os.Open(filepath.Join(from, want.Name))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w: it is not in the backup", want.Name, store.ErrDamaged)
	}
	if err != nil {
		return plainly(err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(to, want.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return plainly(err)
	}
	defer func() { err = errors.Join(err, plainly(out.Close())) }()
	got, err := sumOf(want.Name, io.TeeReader(in, out))
	if err != nil {
		return describe("copying", want.Name, plainly(err))
	}
	if got != want {
		return fmt.Errorf("%s: %w: it has %d bytes and the SHA-256 %s, the backup was made with %d and %s",
			want.Name, store.ErrDamaged, got.Bytes, got.SHA256, want.Bytes, want.SHA256)
	}
	return describe("writing", want.Name, out.Sync())
}

func sumOf(name string, r io.Reader) (BackupFile, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return BackupFile{Name: name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	"zombiezen.com/go/sqlite"

	"github.com/netcinch/netcinch/recommender/store"
)

// describe turns an engine's error into one of the store's, naming the file.
func describe(doing, file string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{store.ErrFull, store.ErrDamaged, store.ErrNewer, store.ErrTooOld} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%s %s: %w: no space left on the device (%w)", doing, file, store.ErrFull, err)
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		return fmt.Errorf("%s %s: %w: no space left on the device (%w)", doing, file, store.ErrFull, err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%s %s: %w (%w)", doing, file, store.ErrDamaged, err)
	default:
		return fmt.Errorf("%s %s: %w", doing, file, err)
	}
}

// noRoom says whether a file could not be opened because the files beside it,
// which readers share, found no room.
func noRoom(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, store.ErrFull) {
		return true
	}
	code := sqlite.ErrCode(err).ToPrimary()
	return code == sqlite.ResultIOErr || code == sqlite.ResultCantOpen
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	"zombiezen.com/go/sqlite"

	"github.com/netcinch/netcinch/recommender/store"
)

// fileError names the file that an error is about.
type fileError struct {
	doing, file string
	err         error
}

func (e *fileError) Error() string { return fmt.Sprintf("%s %s: %v", e.doing, e.file, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// describe turns an engine's error into one of the store's, naming the file;
// the innermost name stays.
func describe(doing, file string, err error) error {
	if _, ok := errors.AsType[*fileError](err); ok || err == nil {
		return err
	}
	code := sqlite.ErrCode(err).ToPrimary()
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrNewer):
	case code == sqlite.ResultFull, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: no space left on the device (%w)", store.ErrFull, err)
	case code == sqlite.ResultCorrupt, code == sqlite.ResultNotADB:
		err = fmt.Errorf("%w (%w)", store.ErrDamaged, err)
	}
	return &fileError{doing, file, err}
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

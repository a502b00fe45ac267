// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
		err = saidError{store.ErrFull.Error() + ": no space left on the device", errors.Join(store.ErrFull, err)}
	case code == sqlite.ResultCorrupt, code == sqlite.ResultNotADB:
		err = fmt.Errorf("%w (%s)", store.ErrDamaged, found(code))
	case code == sqlite.ResultReadOnly, code == sqlite.ResultPerm, code == sqlite.ResultAuth, errors.Is(err, fs.ErrPermission):
		err = saidError{"this user may not write to it; give the file and its folder to the user that runs the recommender", err}
	case code == sqlite.ResultBusy, code == sqlite.ResultLocked:
		err = saidError{"another process keeps it locked; end that, such as an open sqlite3 shell, and try again", err}
	case code == sqlite.ResultCantOpen:
		err = saidError{"it cannot be opened; see that the folder is there and that this user may read and write in it", err}
	case code == sqlite.ResultIOErr:
		err = saidError{"the disk failed to read or write; look at the system's log, and at what is left of the file with netcinch store check", err}
	case code == sqlite.ResultInterrupt:
		err = saidError{"it was broken off", err}
	case code == sqlite.ResultNoMem:
		err = saidError{"there is no memory left; give the recommender more", err}
	}
	return &fileError{doing, file, err}
}

// saidError is an error in plain words, in place of the engine's own.
type saidError struct {
	words string
	cause error
}

func (s saidError) Error() string { return s.words }
func (s saidError) Unwrap() error { return s.cause }

// found says what of a file is wrong, as far as the engine tells.
func found(code sqlite.ResultCode) string {
	if code == sqlite.ResultNotADB {
		return "it is not the database that it was"
	}
	return "its pages do not fit together"
}

// plainly takes the operation out of an error of the file system.
func plainly(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		err = fmt.Errorf("%s: %w", le.New, le.Err)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
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

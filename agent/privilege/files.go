// SPDX-License-Identifier: Apache-2.0

//go:build linux

package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"golang.org/x/sys/unix"
)

// files are the capabilities that let root use the files of others.
const files Set = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH

// File is one that the agent uses all its life.
type File struct {
	Path  string
	Write bool
}

// ForFiles gives what must be kept for the files to be used, and the first
// file that it must be kept for: nothing where their permissions are enough.
// Files that are not there do not count.
func ForFiles(held Set, used []File) (keep Set, because string, err error) {
	if held&files == 0 {
		return 0, "", nil
	}
	runtime.LockOSThread()
	if err := setThread(held&^files, held); err != nil {
		runtime.UnlockOSThread()
		return 0, "", fmt.Errorf("lowering capabilities: %w", err)
	}
	for _, f := range used {
		if f.Path != "" && because == "" && !usable(f) {
			because = f.Path
		}
	}
	if err := setThread(held, held); err != nil {
		return 0, "", fmt.Errorf("raising capabilities again: %w", err) // the thread stays locked and ends
	}
	runtime.UnlockOSThread()
	if because == "" {
		return 0, "", nil
	}
	return held & files, because, nil
}

func usable(f File) bool {
	mode := uint32(unix.R_OK)
	if f.Write {
		mode |= unix.W_OK
	}
	err := unix.Faccessat(unix.AT_FDCWD, f.Path, mode, unix.AT_EACCESS)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// setThread changes the sets of the calling thread alone.
func setThread(effective, permitted Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective, data[1].Effective = uint32(effective), uint32(effective>>32)
	data[0].Permitted, data[1].Permitted = uint32(permitted), uint32(permitted>>32)
	return unix.Capset(&header, &data[0])
}

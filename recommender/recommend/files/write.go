// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// staged is a file that is ready beside its place.
type staged struct {
	file   File
	target string // the file itself, where Path is a symbolic link
	ready  string
	saved  string // what was there, until all is done
	made   []string
	done   bool
}

// Write puts all files in their places, or none: each is written beside its
// place with the permissions of what it replaces, and only when all are there
// they are renamed. Should one rename fail, those done before are taken back.
// Links stay links: what they point to is replaced.
func Write(files []File) (err error) {
	var all []*staged
	defer func() {
		for _, s := range all {
			if err != nil {
				err = errors.Join(err, s.undo())
			}
			_ = os.Remove(s.ready) // there only where it was not renamed
			_ = os.Remove(s.saved)
		}
	}()
	for _, f := range files {
		s := &staged{file: f}
		all = append(all, s)
		if err := s.prepare(); err != nil {
			return fmt.Errorf("writing %s: %w; no file was changed", f.Path, plain(err))
		}
	}
	for _, s := range all {
		if err := s.commit(); err != nil {
			return fmt.Errorf("putting %s in its place: %w; no file was changed", s.file.Path, plain(err))
		}
	}
	return nil
}

// prepare writes the file beside its place.
func (s *staged) prepare() error {
	s.target = s.file.Path
	mode := fs.FileMode(0o644)
	if s.file.New {
		if err := s.folders(filepath.Dir(s.target)); err != nil {
			return err
		}
		if _, err := os.Lstat(s.target); err == nil {
			return errors.New("it has come into being meanwhile")
		}
	} else {
		target, err := filepath.EvalSymlinks(s.target)
		if err != nil {
			return err
		}
		s.target = target
		info, err := os.Stat(target)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errors.New("it is not a regular file")
		}
		mode = info.Mode().Perm()
		now, err := os.ReadFile(target)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, s.file.Before) {
			return errors.New("it has changed meanwhile; run the command again")
		}
	}
	return s.stage(mode)
}

// folders makes a folder and those above it, and notes which it made.
func (s *staged) folders(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	if err := s.folders(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s.made = append(s.made, dir)
	return nil
}

func (s *staged) stage(mode fs.FileMode) error {
	ready, err := os.CreateTemp(filepath.Dir(s.target), ".netcinch-*")
	if err != nil {
		return err
	}
	s.ready = ready.Name()
	_, err = ready.Write(s.file.After)
	err = errors.Join(err, ready.Chmod(mode))
	if !s.file.New {
		err = errors.Join(err, sameOwner(ready, s.target))
	}
	return errors.Join(err, ready.Sync(), ready.Close())
}

// sameOwner gives a file the owner of another, where we may.
func sameOwner(f *os.File, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// commit keeps what was there under another name and renames.
func (s *staged) commit() error {
	if !s.file.New {
		saved := s.ready + "-before"
		if err := os.Link(s.target, saved); err != nil { // not every file system has links
			if err := os.WriteFile(saved, s.file.Before, 0o600); err != nil {
				return err
			}
		}
		s.saved = saved
	}
	if err := os.Rename(s.ready, s.target); err != nil {
		return err
	}
	s.done = true
	return nil
}

// undo takes back what was done.
func (s *staged) undo() error {
	var err error
	switch {
	case s.done && s.file.New:
		err = os.Remove(s.target)
	case s.done:
		if err = os.Rename(s.saved, s.target); err != nil {
			err = fmt.Errorf("taking back %s: %w; what it was is in %s", s.file.Path, plain(err), s.saved)
			s.saved = "" // keep it
		}
	}
	_ = os.Remove(s.ready)
	for _, v := range slices.Backward(s.made) {
		_ = os.Remove(v) // stays where something else is in it
	}
	return err
}

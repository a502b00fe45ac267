// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minToken is the shortest token that is taken, in characters.
const minToken = 16

// newToken is 128 random bits and more, as letters and digits.
func newToken() string { return rand.Text() }

// keptToken reads a token from a file, or writes a new one there.
func keptToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		token := newToken()
		if err = writePrivate(path, []byte(token+"\n")); err != nil {
			return "", err
		}
		return token, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading a token: %s: %w", path, cause(err))
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("reading a token: %s: want one line of %d characters or more, without blanks", path, minToken)
	}
	return token, nil
}

// writePrivate writes a file that only its owner reads, whole or not at all.
func writePrivate(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return cannotWrite(path, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(cannotWrite(path, err), os.Remove(f.Name()))
	}
	return nil
}

// cannotWrite says what to do, without the name of the temporary file.
func cannotWrite(path string, err error) error {
	return fmt.Errorf("writing %s: %w; let this user write to the folder and see that it has space, or give another one with --data-dir", path, cause(err))
}

// cause takes the name of a file out of an error that names it otherwise.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}

// keptAgentTokens makes the file of the agents' tokens where it is missing: one
// token a cluster where there are several.
func (a *App) keptAgentTokens(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whoever reads it says what is wrong
	}
	if len(a.members) == 1 {
		return writePrivate(path, []byte(newToken()+"\n"))
	}
	var text strings.Builder
	for _, m := range a.members {
		fmt.Fprintf(&text, "%s cluster=%s\n", newToken(), m.name)
	}
	return writePrivate(path, []byte(text.String()))
}

// givenToken reads the token of a file that was named: it must be there.
func givenToken(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the token: %s does not exist; write one there, or leave --token-file out to have one made in --data-dir", path)
		}
		return "", fmt.Errorf("reading the token: %s: %w", path, cause(err))
	}
	return keptToken(path)
}

// pageToken is the token that lets people in.
func pageToken(o Options) (string, error) {
	switch {
	case o.Token != "":
		if len(o.Token) < minToken {
			return "", fmt.Errorf("starting the recommender: the page's token has %d characters, want %d or more", len(o.Token), minToken)
		}
		return o.Token, nil
	case o.TokenFile != "":
		return givenToken(o.TokenFile)
	case o.People == PeopleKubernetes:
		return "", nil // nobody is let in but whom the API server knows
	case o.DataDir != "":
		return keptToken(filepath.Join(o.DataDir, "page.token"))
	default:
		return newToken(), nil
	}
}

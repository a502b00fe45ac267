// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// maxSecret bounds a secret and a certificate file, in bytes.
const maxSecret = 1 << 20

// Secret is a value that is never shown: printed, logged or written as JSON or
// YAML it is the word for where it comes from. The zero Secret is none.
type Secret struct {
	value string
	from  string // such as file /etc/netcinch/token
}

// SecretOf is a secret that a test or another program holds already.
func SecretOf(value, from string) Secret { return Secret{value, from} }

// Reveal gives the value, for the wire.
func (s Secret) Reveal() string { return s.value }

// Given says whether there is one.
func (s Secret) Given() bool { return s.from != "" }

// String says where the value comes from.
func (s Secret) String() string {
	if !s.Given() {
		return "none"
	}
	return "<secret of " + s.from + ">"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secret reads {file: PATH} or {env: NAME}.
func (l *loader) secret(into *Secret) func(place) {
	return func(at place) {
		if at.node.Kind == yaml.ScalarNode && at.node.Tag != "!!null" {
			l.fail(at, "a secret does not stand in this file: write {file: PATH} or {env: NAME}")
			return
		}
		var file, env string
		problems := len(l.problems)
		l.mapping(at, fields{"file": l.text(&file), "env": l.text(&env)})
		switch {
		case len(l.problems) > problems:
		case (file == "") == (env == ""):
			l.fail(at, "want either file, the path of a file that holds the secret, or env, the name of an environment variable")
		case env != "":
			l.envSecret(at, env, into)
		default:
			l.fileSecret(at, file, into)
		}
	}
}

func (l *loader) envSecret(at place, name string, into *Secret) {
	value := l.options.Getenv(name)
	if value == "" {
		l.fail(at, "the environment variable %s is not set; set it for the recommender, or name a file", name)
		return
	}
	*into = Secret{value, "environment variable " + name}
}

func (l *loader) fileSecret(at place, path string, into *Secret) {
	text, ok := l.content(at, path)
	if !ok {
		return
	}
	value := string(bytes.TrimSpace(text))
	if value == "" {
		l.fail(at, "the file %s is empty; write the secret into it", path)
		return
	}
	*into = Secret{value, "file " + path}
}

// content reads a file that the configuration names, and remembers it as one
// of those whose change is a change of the configuration.
func (l *loader) content(at place, path string) ([]byte, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.file), path)
	}
	l.config.Files = append(l.config.Files, path)
	text, err := readFile(path)
	if err != nil {
		l.fail(at, "the file %s cannot be read: %v", path, err)
		return nil, false
	}
	return text, true
}

func readFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, statErr := f.Stat(); statErr == nil && info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	if text, err = io.ReadAll(io.LimitReader(f, maxSecret+1)); err != nil {
		return nil, plain(err)
	}
	if len(text) > maxSecret {
		return nil, errors.New("it has more than 1 MiB")
	}
	return text, nil
}

// plain takes the name of a file out of an error that names it otherwise.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

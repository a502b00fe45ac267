// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

const noncePlace = "__CSP_NONCE__"

// page serves the built page: its files as they are, and for every address
// without a file the index, which finds out by itself what to show.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return problemf(http.StatusMethodNotAllowed, "Method %s is not for this address.", r.Method)
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if hidden(name) {
		return problemf(http.StatusNotFound, "There is nothing at %s.", r.URL.Path)
	}
	if info, err := fs.Stat(s.files, name); err == nil && !info.IsDir() && name != "index.html" {
		if strings.HasPrefix(name, "assets/") {
			// Names of assets carry a hash of what is in them.
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeFileFS(w, r, s.files, name)
		return nil
	}
	if path.Ext(name) != "" && name != "index.html" {
		return problemf(http.StatusNotFound, "There is nothing at %s.", r.URL.Path)
	}
	return s.index(w, r)
}

// hidden names files of the build that are not for visitors.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") }

func (s *Server) index(w http.ResponseWriter, r *http.Request) error {
	text, err := fs.ReadFile(s.files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		return problemf(http.StatusNotFound, "This build has no page in it: run make build. The API answers under /api/v1.")
	}
	if err != nil {
		return err
	}
	random := make([]byte, 18)
	rand.Read(random) // never fails, by its documentation
	nonce := base64.StdEncoding.EncodeToString(random)
	h := w.Header()
	// Styles: our sheets, and those that the YAML view makes, with the nonce.
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "worker-src 'self'", "style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data:", "font-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; "))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	s.write(w, r, bytes.ReplaceAll(text, []byte(noncePlace), []byte(nonce)))
	return nil
}

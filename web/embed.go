// SPDX-License-Identifier: Apache-2.0

// Package web holds the built page, so that one binary is all that one needs.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the files of the built page; index.html is missing where the page
// was not built.
func Files() (fs.FS, error) { return fs.Sub(dist, "dist") }

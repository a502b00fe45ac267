// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line for people and for CI.
//
// Its words: a command works offline, on a folder of manifests (-f) and flow
// files (--flows), or without them asks a running recommender (--server). A
// finding ends a command with status 1 only where --fail-on asks for it; a
// problem is something in the input that was not understood: a warning, or
// with --strict an error.
package cli

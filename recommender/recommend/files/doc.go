// SPDX-License-Identifier: Apache-2.0

// Package files puts recommendations into manifests on disk: into the files
// that they were made for, into a copy of them, or into files of their own.
//
// Nothing is half applied. A plan is made in memory first and fails where a
// file is not what was read; writing prepares every file beside its place, and
// then renames all of them, or takes back those that were.
package files

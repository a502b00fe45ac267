// SPDX-License-Identifier: Apache-2.0

// Package feature is the one list of what the agent uses of a kernel: which
// kernel first has it, and what is lost where it is missing.
//
// A feature is tried, never concluded from a version; the version is said only
// to whoever has to choose a kernel. A required feature is one without which
// the agent does not start. docs/kernels.md holds this list, too, and a test
// keeps the two the same.
package feature

// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package probe loads the flow program and attaches it to interfaces.
//
// A set is the maps that all attachments share; a hook is one attachment, both
// directions of one interface. Features are tried, never looked up by kernel
// version: only after a load or an attachment fails is it asked why, and the
// error then names the capability or feature that is missing and what to do.
package probe

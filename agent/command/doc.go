// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package command is netcinch-agent's command line: flags, help, and what an
// error means for the exit status.
package command

// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package conntrack follows connection tracking by its events, for kernels
// whose programs cannot ask it: who began a connection, which address was
// dialled, which one it was rewritten to. Events tell less than a look-up: a
// connection that is tracked after its flow was reported is known too late.
package conntrack

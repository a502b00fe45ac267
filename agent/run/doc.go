// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package run puts the agent's parts together: capture counts, podmap says
// whose the counts are, aggregate folds them to the edges of a window, and a
// sink takes the window.
//
// [Observer] is everything up to the sink. [Agent] is an observer with the
// exporter as its sink, metrics, and an orderly end.
package run

// SPDX-License-Identifier: Apache-2.0

package bpf

// CountShift is COUNT_SHIFT of flow.h: one word counts packets << CountShift
// plus bytes.
const CountShift = 38

// ABI numbers the layout of the pinned maps and what their values mean: raise
// it with every change of either. Programs of one number may use maps that
// another agent of the same number has made, and count into them side by side.
const ABI = 2

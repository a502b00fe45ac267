// SPDX-License-Identifier: Apache-2.0

package bpf

// CountShift is COUNT_SHIFT of flow.h: one word counts packets << CountShift
// plus bytes.
const CountShift = 38

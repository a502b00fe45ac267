// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import "fmt"

// explain wraps what the kernel said with what to do about it.
func explain(doing string, err error) error {
	return fmt.Errorf("%s: %w", doing, err)
}

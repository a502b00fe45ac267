// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"errors"
	"os/exec"
	"strconv"
)

// exitCode gives the exit status in an error of a command; "" for other errors.
func exitCode(err error) string {
	var ee *exec.ExitError
	if !errors.As(err, &ee) {
		return ""
	}
	return strconv.Itoa(ee.ExitCode())
}

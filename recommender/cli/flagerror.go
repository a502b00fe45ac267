// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what a flag wants, in place of the parser's words.
func flagError(cmd *cobra.Command, err error) error {
	iv, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	}
	want := "a value of another form"
	switch iv.GetFlag().Value.Type() {
	case "duration":
		want = "a duration such as 30s, 12h or 1h30m"
	case "calico|upstream":
		want = "calico or upstream"
	case "bool":
		want = "true or false"
	}
	return fmt.Errorf("--%s %q: want %s; see %s --help", iv.GetFlag().Name, iv.GetValue(), want, cmd.CommandPath())
}

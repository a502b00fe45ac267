// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
)

// Argument is the first argument that makes the demo's program be a workload.
const Argument = "workload"

// Arguments gives the command line that Main reads.
func Arguments(o Options, args []string) []string {
	return append([]string{Argument, "-name", o.Name, "-dns", o.Resolver.String(), "-zone", o.Zone, "--"}, args...)
}

// Main is the program's main function, without Argument itself. The process
// ends when in does.
func Main(args []string, in io.Reader, out, errors io.Writer) int {
	o := Options{In: in, Out: out}
	flags := flag.NewFlagSet(Argument, flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.StringVar(&o.Name, "name", "", "the workload's `name`, told in answers")
	dns := flags.String("dns", "", "`address` and port of the DNS server")
	flags.StringVar(&o.Zone, "zone", "", "zone `file`, where DNS is served")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	spec, err := Parse(flags.Args())
	if err == nil {
		o.Resolver, err = netip.ParseAddrPort(*dns)
	}
	if err == nil {
		err = Run(context.Background(), spec, o)
	}
	if err != nil {
		_, _ = fmt.Fprintf(errors, "%s: %v\n", o.Name, err)
		return 3
	}
	return 0
}

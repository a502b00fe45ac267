// SPDX-License-Identifier: Apache-2.0

//go:build !linux

// Command netcinch-agent records what the pods of a node talk to.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "netcinch-agent: the agent runs on Linux only; 'netcinch serve -f MANIFESTS --flows FILE' shows recorded traffic on any system")
	os.Exit(2)
}

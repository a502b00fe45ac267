// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "netcinch-demo: the live demo runs on Linux only (network namespaces, eBPF); "+fromFiles)
	os.Exit(2)
}

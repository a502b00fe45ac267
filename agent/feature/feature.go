// SPDX-License-Identifier: Apache-2.0

package feature

import (
	"fmt"
	"strings"
)

// Feature is one thing that a kernel gives.
type Feature struct {
	Name   string // as status, metrics and batches name it
	Kernel string // the first release that has it
	Needs  string // what else it takes: a capability or a build option; empty for nothing
	Lost   string // without it
	// Required: the agent does not start without it.
	Required bool
}

// Missing is a feature that this kernel or these privileges do not give and
// that is done without.
type Missing struct {
	Feature string // its name
	Lost    string // what cannot be known for want of it
	Err     error  // what the kernel said
}

// Without gives the feature as missing.
func (f Feature) Without(err error) Missing {
	return Missing{Feature: f.Name, Lost: f.Lost, Err: err}
}

// Find gives the feature of a name.
func Find(name string) (Feature, bool) {
	for _, f := range All {
		if f.Name == name {
			return f, true
		}
	}
	return Feature{}, false
}

// Markdown is the list as a table.
func Markdown() string {
	var table strings.Builder
	table.WriteString("| feature | kernel | also needs | without it |\n| --- | --- | --- | --- |\n")
	for _, f := range All {
		needs, lost := f.Needs, f.Lost
		if needs == "" {
			needs = "–"
		}
		if f.Required {
			lost = "**the agent does not start**: " + lost
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", f.Name, f.Kernel, needs, lost)
	}
	return table.String()
}

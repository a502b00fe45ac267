// SPDX-License-Identifier: Apache-2.0

//go:build linux

package privilege

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities, bit by number.
type Set uint64

// Has says whether a capability is in the set.
func (s Set) Has(number int) bool { return s&(1<<number) != 0 }

// Held gives the calling thread's effective capabilities.
func Held() (Set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("reading the agent's capabilities: %w", err)
	}
	return Set(data[0].Effective) | Set(data[1].Effective)<<32, nil
}

// Lacking gives those of the agent's capabilities that are not held and that
// nothing stands for.
func Lacking(held Set) []Capability {
	var lacking []Capability
	for _, c := range All {
		if !held.Has(c.Number) && !covered(held, c.Number) {
			lacking = append(lacking, c)
		}
	}
	return lacking
}

func covered(held Set, number int) bool {
	return (number == unix.CAP_BPF || number == unix.CAP_PERFMON) && held.Has(unix.CAP_SYS_ADMIN)
}

// Needed gives the capabilities to keep: those of the agent that are held, and
// without the ones to roam where nothing roams.
func Needed(held Set, roams bool) Set {
	var keep Set
	for _, c := range All {
		if held.Has(c.Number) && (roams || !c.Roam || stands(held, c.Number)) {
			keep |= 1 << c.Number
		}
	}
	return keep
}

// stands says that CAP_SYS_ADMIN is held in place of one that is required.
func stands(held Set, number int) bool {
	return number == unix.CAP_SYS_ADMIN && (!held.Has(unix.CAP_BPF) || !held.Has(unix.CAP_PERFMON))
}

// Check says in one line which of the required capabilities are not held.
func Check(held Set) error {
	var lacking []string
	for _, c := range Lacking(held) {
		if c.Required {
			lacking = append(lacking, c.Name+" ("+c.For+")")
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("missing %s: run the agent as root, or give its container these capabilities", strings.Join(lacking, ", "))
}

// Names gives the names of the capabilities in the set; their numbers where
// the agent has no use for them.
func Names(s Set) []string {
	var names []string
	for _, c := range All {
		if s.Has(c.Number) {
			names = append(names, c.Name)
			s &^= 1 << c.Number
		}
	}
	for _, c := range others {
		if s.Has(c.number) {
			names = append(names, c.name)
			s &^= 1 << c.number
		}
	}
	for n := range 64 {
		if s.Has(n) {
			names = append(names, strconv.Itoa(n))
		}
	}
	return names
}

var others = []struct {
	number int
	name   string
}{
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
	{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/bpf"
)

// Where the kernel does not let a program list processes and sockets, /proc
// tells: slower, and only of what is still there.
const procRoot = "/proc"

// initialPIDs is the inode of the initial PID namespace, on every Linux. Only
// there are the ids of /proc those that the kernel's programs see.
const initialPIDs = 0xeffffffc

func seesInitialPIDs() bool {
	var stat unix.Stat_t
	return unix.Stat(procRoot+"/self/ns/pid", &stat) == nil && stat.Ino == initialPIDs
}

// procProgram reads what a process runs.
func procProgram(process uint32) (Program, bool) {
	dir := filepath.Join(procRoot, strconv.FormatUint(uint64(process), 10))
	path, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return Program{}, false // has ended, or a kernel thread
	}
	var container, pod string
	groups, _ := os.ReadFile(filepath.Join(dir, "cgroup")) // without it the program is known all the same
	for name := range strings.FieldsFuncSeq(string(groups), func(c rune) bool { return c == '/' || c == '\n' }) {
		if id := containerOf(name); id != "" {
			container = id
		}
		if uid := podOf(name); uid != "" {
			pod = uid
		}
	}
	return NewProgram(strings.TrimSuffix(path, " (deleted)"), container, pod), true
}

// procSockets gives every socket of IP that a process of the watched namespaces
// holds, as the kernel's list does.
func procSockets(known map[uint64]struct{}, emit func(bpf.OwnerSocketSeen)) error {
	processes, err := os.ReadDir(procRoot)
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	tables := make(map[uint64]map[uint64]bpf.OwnerSocketSeen) // by namespace's inode, then socket's
	for _, entry := range processes {
		process, err := strconv.ParseUint(entry.Name(), 10, 31)
		if err != nil {
			continue
		}
		dir := filepath.Join(procRoot, entry.Name())
		var stat unix.Stat_t
		if unix.Stat(dir+"/ns/net", &stat) != nil {
			continue // has ended
		}
		table, seen := tables[stat.Ino]
		if !seen {
			table = procTable(dir, known)
			tables[stat.Ino] = table
		}
		if len(table) > 0 {
			holdings(dir, table, uint32(process)|byProcess, emit)
		}
	}
	return nil
}

// procTable reads the sockets of a process's network namespace, if it is
// watched.
func procTable(dir string, known map[uint64]struct{}) map[uint64]bpf.OwnerSocketSeen {
	cookie, err := Cookie(dir + "/ns/net")
	if err != nil {
		return nil
	}
	if _, watched := known[cookie]; !watched {
		return nil
	}
	table := make(map[uint64]bpf.OwnerSocketSeen)
	for name, protocol := range map[string]uint8{
		"tcp": unix.IPPROTO_TCP, "tcp6": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "udp6": unix.IPPROTO_UDP,
	} {
		f, err := os.Open(filepath.Join(dir, "net", name))
		if err != nil {
			continue // without IPv6 half of them are missing
		}
		readTable(f, cookie, protocol, table)
		_ = f.Close() // was only read
	}
	return table
}

// readTable reads a table such as /proc/net/tcp. Lines that are none are
// passed over: the first names the columns.
func readTable(r io.Reader, cookie uint64, protocol uint8, into map[uint64]bpf.OwnerSocketSeen) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		inode, err := strconv.ParseUint(fields[9], 10, 64)
		state, stateErr := strconv.ParseUint(fields[3], 16, 8)
		if err != nil || stateErr != nil || inode == 0 {
			continue
		}
		s := bpf.OwnerSocketSeen{State: uint16(state)}
		s.Local.Netns, s.Local.Protocol = cookie, protocol
		var family uint8
		var ok, remoteOK bool
		if s.Local.Address, s.Local.Port, s.Local.Family, ok = procEnd(fields[1]); !ok {
			continue
		}
		if s.Remote, s.RemotePort, family, remoteOK = procEnd(fields[2]); !remoteOK || family == 0 {
			continue
		}
		into[inode] = s
	}
}

// procEnd reads ADDRESS:PORT in hexadecimal; the address is words in the
// machine's byte order. The result is as in struct listener.
func procEnd(text string) (address [4]uint32, port uint16, family uint8, ok bool) {
	words, number, found := strings.Cut(text, ":")
	p, err := strconv.ParseUint(number, 16, 16)
	b, notHex := hex.DecodeString(words)
	if !found || err != nil || notHex != nil || (len(b) != 4 && len(b) != 16) {
		return address, 0, 0, false
	}
	for i := range len(b) / 4 {
		// The text is the number's; in memory it is the network's bytes.
		address[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	// Ports are kept in the network's order.
	port = binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, uint16(p)))
	switch mapped := binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}); {
	case len(b) == 4:
		family = family4
	case address == [4]uint32{}:
		family = familyBoth // it does not say whether it is for IPv6 only
	case address[0] == 0 && address[1] == 0 && address[2] == mapped:
		family, address = family4, [4]uint32{address[3]}
	default:
		family = family6
	}
	return address, port, family, true
}

// holdings gives the sockets among a process's files.
func holdings(dir string, table map[uint64]bpf.OwnerSocketSeen, owner uint32, emit func(bpf.OwnerSocketSeen)) {
	files, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return // has ended, or CAP_SYS_PTRACE is missing
	}
	for _, f := range files {
		target, err := os.Readlink(dir + "/fd/" + f.Name())
		if err != nil {
			continue
		}
		number, isSocket := strings.CutPrefix(target, "socket:[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
		if !isSocket || err != nil {
			continue
		}
		if s, ok := table[inode]; ok {
			s.Owner = owner
			emit(s)
		}
	}
}

// ticksPerSecond is what /proc counts in, on every Linux.
const ticksPerSecond = 100

// slack is how exactly the times of packets and of processes are compared.
const slack = time.Second

// mayBe says whether the process of that id now is the one that was seen
// before: not if it has begun since, or ended.
func mayBe(process uint32, seen, now time.Time) bool {
	stat, err := os.ReadFile(filepath.Join(procRoot, strconv.FormatUint(uint64(process), 10), "stat"))
	if err != nil {
		return false
	}
	ticks, ok := startOf(string(stat))
	var up unix.Timespec
	if !ok || unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return false
	}
	began := now.Add(-time.Duration(up.Nano())).Add(time.Duration(ticks) * time.Second / ticksPerSecond)
	return !began.After(seen.Add(slack))
}

// startOf reads when a process began out of its stat file: ticks since the
// machine did. The name before it, in brackets, may hold anything.
func startOf(stat string) (ticks uint64, ok bool) {
	const after = 19 // fields from the state on
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= after {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[after], 10, 63)
	if err != nil {
		return 0, false
	}
	return ticks, true
}

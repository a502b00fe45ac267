// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/bpf"
)

// As the kernel writes them on a little-endian machine, which all that are
// built for are.
func TestReadTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0
   1: 0100007F:9C40 02003D0A:01BB 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0
   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 103 1
   3: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF000002003D0A:01BB 01 0:0 00:0 0 0 0 104 1
   4: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 0 1
   5: nonsense 00000000:0000 0A 0:0 00:0 0 0 0 106 1
`
	found := make(map[uint64]bpf.OwnerSocketSeen)
	readTable(strings.NewReader(table), 7, 6, found)
	if len(found) != 4 {
		t.Fatalf("%d sockets, want 4: %+v", len(found), found)
	}
	const loopback, other = 0x0100007f, 0x02003d0a
	for inode, want := range map[uint64]struct {
		address, remote uint32
		port            uint16
		family          uint8
		state           uint16
	}{
		101: {loopback, 0, 0x901f, family4, stateListening},
		102: {loopback, other, 0x409c, family4, 1},
		103: {0, 0, 0x901f, familyBoth, stateListening},
		104: {loopback, other, 0x901f, family4, 1},
	} {
		s := found[inode]
		if s.Local.Address != [4]uint32{want.address} || s.Remote != [4]uint32{want.remote} || s.Local.Port != want.port ||
			s.Local.Family != want.family || s.State != want.state || s.Local.Netns != 7 || s.Local.Protocol != 6 {
			t.Errorf("socket %d: %+v, want %+v", inode, s, want)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0\n")
	f.Add("0: 0000000000000000FFFF00000100007F:1F90 :0 01 0:0 00:0 0 0 0 104 1")
	f.Fuzz(func(t *testing.T, table string) {
		found := make(map[uint64]bpf.OwnerSocketSeen)
		readTable(strings.NewReader(table), 7, 6, found)
		for inode, s := range found {
			if inode == 0 || s.Local.Family == 0 || s.Local.Netns != 7 {
				t.Errorf("socket %d: %+v", inode, s)
			}
		}
	})
}

// A process is not taken for one that had its id before.
func TestProcessIDsAreGivenAgain(t *testing.T) {
	own, now := uint32(os.Getpid()), time.Now()
	if !mayBe(own, now, now) {
		t.Error("this process is not believed to be itself")
	}
	if mayBe(own, now.Add(-24*time.Hour), now) {
		t.Error("this process is believed to have been seen a day ago")
	}
	if mayBe(1<<30, now, now) {
		t.Error("a process that is not there is believed")
	}
}

func FuzzStartOf(f *testing.F) {
	f.Add("1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 42 1 2")
	f.Add("1 (x")
	f.Add("")
	f.Fuzz(func(t *testing.T, stat string) {
		if ticks, ok := startOf(stat); !ok && ticks != 0 {
			t.Errorf("%d ticks out of %q, which has none", ticks, stat)
		}
	})
}

func TestStartOf(t *testing.T) {
	if ticks, ok := startOf("1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 42 1 2"); !ok || ticks != 42 {
		t.Errorf("%d, %v: want 42", ticks, ok)
	}
}

func TestGroups(t *testing.T) {
	id, uid := strings.Repeat("0a", 32), "11111111-2222-3333-4444-555555555555"
	for group, want := range map[string][2]string{
		"cri-containerd-" + id + ".scope": {id, ""},
		"crio-" + id + ".scope":           {id, ""},
		id:                                {id, ""},
		id[1:]:                            {"", ""},
		"x" + id:                          {"", ""},
		"pod" + uid:                       {"", uid},
		"kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice": {"", uid},
		"kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice":            {"", uid},
		"pod" + id[:32]:       {"", id[:32]}, // a static pod's hash
		"tripod" + uid:        {"", ""},
		"pod" + uid + "0":     {"", ""},
		"podman":              {"", ""},
		"kubepods.slice":      {"", ""},
		"":                    {"", ""},
		"pod" + uid[:35]:      {"", ""},
		"pod" + uid[1:] + "-": {"", ""},
	} {
		if got := [2]string{containerOf(group), podOf(group)}; got != want {
			t.Errorf("%q: container and pod %q, want %q", group, got, want)
		}
	}
}

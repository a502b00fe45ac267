// SPDX-License-Identifier: Apache-2.0

//go:build linux

package privilege

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/pagetest"
)

func of(numbers ...int) (s Set) {
	for _, n := range numbers {
		s |= 1 << n
	}
	return s
}

func TestCheckAndLacking(t *testing.T) {
	for _, test := range []struct {
		name    string
		held    Set
		lacking string
		check   string // "" for no error
	}{
		{"all", ^Set(0), "", ""},
		{"CAP_SYS_ADMIN stands for two", of(unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN), "CAP_SYS_PTRACE,CAP_NET_BROADCAST", ""},
		{"the least", of(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN), "CAP_SYS_ADMIN,CAP_SYS_PTRACE,CAP_NET_BROADCAST", ""},
		{
			"none", 0, "CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON,CAP_SYS_ADMIN,CAP_SYS_PTRACE,CAP_NET_BROADCAST",
			"missing CAP_BPF (loading programs and their maps), CAP_NET_ADMIN (attaching programs to interfaces), CAP_PERFMON (",
		},
		{"CAP_SYS_ADMIN attaches nothing", of(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_NET_BROADCAST), "CAP_NET_ADMIN", "missing CAP_NET_ADMIN (attaching programs to interfaces): run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var names []string
			for _, c := range Lacking(test.held) {
				names = append(names, c.Name)
			}
			if got := strings.Join(names, ","); got != test.lacking {
				t.Errorf("lacking %s, want %s", got, test.lacking)
			}
			err := Check(test.held)
			if test.check == "" && err != nil || test.check != "" && (err == nil || !strings.HasPrefix(err.Error(), test.check)) {
				t.Errorf("got %v, want %q", err, test.check)
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	least := of(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN)
	roaming := least | of(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_NET_BROADCAST)
	for _, test := range []struct {
		name  string
		held  Set
		roams bool
		want  Set
	}{
		{"root that roams", ^Set(0), true, roaming},
		{"root that does not", ^Set(0), false, least | of(unix.CAP_NET_BROADCAST)},
		{"what is not held is not kept", least, true, least},
		{"CAP_SYS_ADMIN in place of CAP_BPF", roaming &^ of(unix.CAP_BPF), false, (least | of(unix.CAP_SYS_ADMIN, unix.CAP_NET_BROADCAST)) &^ of(unix.CAP_BPF)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Needed(test.held, test.roams); got != test.want {
				t.Errorf("keeps %v, want %v", Names(got), Names(test.want))
			}
		})
	}
}

func TestNames(t *testing.T) {
	got := Names(of(unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN))
	if want := []string{"CAP_BPF", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPrivilegesPage holds docs/agent.md to the list.
func TestPrivilegesPage(t *testing.T) {
	text := "| capability | for | without it |\n| --- | --- | --- |\n"
	for _, c := range All {
		lost := c.Lost
		if c.Required {
			lost = "**the agent does not start**"
		}
		text += "| " + c.Name + " | " + c.For + " | " + lost + " |\n"
	}
	pagetest.Hold(t, "../../docs/agent.md", "capabilities", text)
}

// TestForFiles needs the right to use others' files only where that is so.
func TestForFiles(t *testing.T) {
	held, err := Held()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 || !held.Has(unix.CAP_DAC_OVERRIDE) || !held.Has(unix.CAP_CHOWN) {
		t.Skip("needs root: CAP_CHOWN to give a file away and CAP_DAC_OVERRIDE to use it nevertheless")
	}
	dir := t.TempDir()
	own, others := filepath.Join(dir, "own"), filepath.Join(dir, "others")
	for _, path := range []string{own, others} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(others, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	readable := filepath.Join(dir, "readable")
	if err := os.WriteFile(readable, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(readable, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		files   []File
		because string
	}{
		{"own, absent and none", []File{{own, true}, {dir + "/none", false}, {"", true}}, ""},
		{"another's", []File{{own, true}, {others, false}}, others},
		{"another's that all may read", []File{{readable, false}}, ""},
		{"another's to write", []File{{readable, true}}, readable},
	} {
		t.Run(test.name, func(t *testing.T) {
			keep, because, err := ForFiles(held, test.files)
			if err != nil || because != test.because || (keep != 0) != (test.because != "") || keep&^files != 0 {
				t.Errorf("keeps %v because of %q, %v; want it because of %q", Names(keep), because, err, test.because)
			}
			if now, err := Held(); err != nil || now != held {
				t.Errorf("holds %v afterwards, %v", Names(now), err)
			}
		})
	}
}

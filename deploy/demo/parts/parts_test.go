// SPDX-License-Identifier: Apache-2.0

//go:build linux

package parts

import (
	"os/exec"
	"testing"
)

// Why a program ended is not guessed from what it logged while all was well.
func TestEndedTellsOnlyOfErrors(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh")
	}
	const info, fault = "time=2026-03-01T00:00:00Z level=INFO msg=watching", "time=2026-03-01T00:00:01Z level=ERROR msg=broken"
	for script, want := range map[string]string{
		"echo " + info + "; kill -9 $$":                      "the agent ended (signal: killed)",
		"echo " + info + "; echo " + fault + "; exit 3":      "the agent ended (exit status 3): " + fault,
		"echo " + info + "; echo a fault; exit 2":            "the agent ended (exit status 2): a fault",
		"echo one; echo " + info + "; echo two; exit 2":      "the agent ended (exit status 2): \none\ntwo",
		`echo '{"time":"x","level":"INFO","msg":"m"}'; exit`: "the agent ended (exit status 0)",
	} {
		p, err := Start("agent", shell, t.TempDir(), "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		if got := p.Ended().Error(); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}

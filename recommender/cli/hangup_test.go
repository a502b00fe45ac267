// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cli"
)

// A hangup has the file of sinks read again, whether it has changed or not, and
// ends nothing.
func TestHangup(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "alerts.yaml")
	if err := os.WriteFile(file, []byte("sinks: [{name: out, type: stdout}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	line, end := run(t, append([]string{"--data-dir", dir, "--alerts", file}, shop...)...)
	m := regexp.MustCompile(`^Page:   (http://127\.0\.0\.1:\d+)/#token=(\S+)$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("printed %q", line)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(ask(t, m[1]+"/metrics", m[2]), `netcinch_alert_config_reloads_total{result="used"} 1`) {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it was not read again")
		}
	}
	if status := end(); status != cli.StatusFine {
		t.Errorf("ended with status %d", status)
	}
}

func ask(t *testing.T, url, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

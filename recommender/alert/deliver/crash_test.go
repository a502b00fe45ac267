// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
)

// crashDir in the environment makes the test binary the process that is killed;
// crashFrom is the number of its first alert.
const (
	crashDir  = "NETCINCH_TEST_CRASH_DIR"
	crashFrom = "NETCINCH_TEST_CRASH_FROM"
)

// crashRounds in the environment is how often it is killed; without it, 4 times.
const crashRounds = "NETCINCH_TEST_CRASH_ROUNDS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, tellForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// tellForEver queues alerts one after the other, and prints the number of each
// that was taken.
func tellForEver(dir string) error {
	from, err := strconv.Atoi(os.Getenv(crashFrom))
	if err != nil {
		return err
	}
	d, err := deliver.New(deliver.Options{File: filepath.Join(dir, "alerts.yaml"), Dir: filepath.Join(dir, "queue"), Now: time.Now})
	if err != nil {
		return err
	}
	go func() { fmt.Fprintln(os.Stderr, d.Run(context.Background())) }()
	for i := from; ; i++ {
		if err := d.Notify(context.Background(), []alert.Alert{that(i, 1, alert.Firing), that(i, 2, alert.Resolved)}); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// receiver is a webhook's server that fails now and then, before or after it
// has noted what it got.
type receiver struct {
	mu    sync.Mutex
	first map[string]int // by title: which in the order of first receipts
	times map[string]int // how often
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the sender was killed
	}
	var e struct {
		ID   string
		Data struct{ Alert struct{ Title string } }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch rand.IntN(12) {
	case 0:
		http.Error(w, "before", http.StatusServiceUnavailable)
		return
	case 1:
		defer http.Error(w, "after", http.StatusBadGateway)
	}
	if _, known := r.first[e.Data.Alert.Title]; !known {
		r.first[e.Data.Alert.Title] = len(r.first)
	}
	r.times[e.Data.Alert.Title]++
}

// TestKill kills a process that queues and tells alerts, again and again. In the
// end everything that it had taken is told, in order.
func TestKill(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = n
	}
	r := &receiver{first: map[string]int{}, times: map[string]int{}}
	server := httptest.NewServer(r)
	defer server.Close()
	w := newWorld(t, "sinks:\n- {name: hook, type: webhook, url: '"+server.URL+"', retry: 10ms, maxRetry: 20ms, queue: 1000000}\n")
	next := 0
	for range rounds {
		next = killed(t, w.dir, next, 5+rand.IntN(60)) + 1
	}
	o := w.options()
	o.Transport = nil
	d, err := deliver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.d = d
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	eventually(t, "everything is told", func() bool { return w.sink("hook").Waiting == 0 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, more := -1, 0
	for i := range next {
		for revision := 1; revision <= 2; revision++ {
			title := fmt.Sprintf("%d.%d", i, revision)
			at, told := r.first[title]
			if !told {
				t.Fatalf("%s was taken and never told", title)
			}
			if at < last {
				t.Fatalf("%s was told before what was taken earlier", title)
			}
			last = at
			more += r.times[title] - 1
		}
	}
	t.Logf("%d alerts taken in %d lives; %d tellings were repetitions", 2*next, rounds, more)
}

// killed runs the process until so many more alerts were taken, kills it, and
// gives the number of the last one.
func killed(t *testing.T, dir string, from, more int) (last int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashFrom+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last = from - 1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			continue // the last line may be cut
		}
		last = n
		if more--; more == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || more > 0 {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return last
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("it did not come so far that %s", what)
		case <-tick.C:
		}
	}
}

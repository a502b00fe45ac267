// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
)

// watch reads the file again when it or one of those that it names has changed.
func (d *Delivery) watch(ctx context.Context) {
	if d.options.Look < 0 {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(d.options.Look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if d.changed() {
			_ = d.Reload(ctx) // it logs, and Status says it
		}
	}
}

// retryUnreachable is how often a file is tried again that is right, but names
// a sink that cannot be reached.
const retryUnreachable = time.Minute

// changed says whether the file is another one than was read last, or is worth
// another try.
func (d *Delivery) changed() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.again.IsZero() && !d.options.Now().Before(d.again) {
		return true
	}
	probe := &config.Config{File: d.options.File, Files: d.watched}
	return probe.Digest() != d.tried
}

// Reload reads the file now. A file with anything wrong in it changes nothing,
// nor does one with a new or changed sink that cannot be reached; the error
// says what is wrong, by file, line and field.
func (d *Delivery) Reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := d.options.load()
	sum, files := d.sumOf(c, err)
	var retry time.Time
	if err == nil {
		if err = d.reach(ctx, c); err != nil {
			retry = d.options.Now().Add(retryUnreachable)
		}
	}
	if err == nil {
		err = d.use(c)
	}
	d.mu.Lock()
	d.tried, d.watched, d.again = sum, files, retry
	before := d.wrong
	d.wrong = ""
	if err != nil {
		d.wrong = sentence(err)
	} else {
		d.at = d.options.Now()
	}
	now := d.wrong
	d.mu.Unlock()
	if err != nil {
		d.metrics.reloads.WithLabelValues("refused").Inc()
		if now != before {
			d.options.Log.ErrorContext(ctx, "the file of sinks is wrong; the one before stays in force", slog.String("file", d.options.File), slog.String("error", now))
		}
		return err
	}
	d.metrics.reloads.WithLabelValues("used").Inc()
	d.options.Log.InfoContext(ctx, "the file of sinks is in force", slog.String("file", d.options.File), slog.Int("sinks", len(c.Sinks)))
	return nil
}

// sumOf gives what to compare the file with from now on, and the files that
// belong to it.
func (d *Delivery) sumOf(c *config.Config, err error) (string, []string) {
	if err == nil {
		return c.Sum, c.Files
	}
	files := config.FilesOf(err)
	return (&config.Config{File: d.options.File, Files: files}).Digest(), files
}

// sentence puts several errors into one line.
func sentence(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// reach looks whether the sinks of a file can be reached that are new or have
// changed. Those that are as before are their worker's business.
func (d *Delivery) reach(ctx context.Context, c *config.Config) error {
	made, err := d.make(c)
	if err != nil {
		return err
	}
	d.mu.RLock()
	before := d.config
	d.mu.RUnlock()
	problems := make([]*config.Problem, len(c.Sinks))
	var all sync.WaitGroup
	for i := range c.Sinks {
		s := &c.Sinks[i]
		if same(before.Sink(s.Name), s) {
			continue
		}
		all.Go(func() { problems[i] = unreachable(ctx, c.File, i, s, made[s.Name]) })
	}
	all.Wait()
	problems = slices.DeleteFunc(problems, func(p *config.Problem) bool { return p == nil })
	if len(problems) > 0 {
		return &config.FileError{Problems: problems, Files: c.Files}
	}
	return nil
}

func unreachable(ctx context.Context, file string, i int, c *config.Sink, s sink.Sink) *config.Problem {
	if err := s.Probe(ctx); err != nil {
		return &config.Problem{
			File: file, Line: c.Line, Field: fmt.Sprintf("sinks[%d]", i),
			Message: fmt.Sprintf("the sink %q cannot be reached: %v", c.Name, err),
		}
	}
	return nil
}

// same says whether two sinks send to the same place in the same way. Templates
// and places in the file do not matter.
func same(a, b *config.Sink) bool {
	if a == nil || a.Type != b.Type || a.Target() != b.Target() {
		return false
	}
	return reflect.DeepEqual(a.Access(), b.Access())
}

// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// ErrNoSink says that there is no sink of a name.
var ErrNoSink = errors.New("there is no such sink")

// TestResult is how one sink took a test alert.
type TestResult struct {
	Sink    string        `json:"sink"`
	Type    string        `json:"type"`
	Target  string        `json:"target"`
	OK      bool          `json:"ok"`
	Problem string        `json:"problem,omitempty"` // why it did not
	Took    time.Duration `json:"-"`
	Millis  int64         `json:"tookMilliseconds"`
}

// Test tells a sink a test alert now, past its queue; an empty name means each
// of them. The error is ErrNoSink for a name that there is not; how it went is
// the result.
func (d *Delivery) Test(ctx context.Context, name string) ([]TestResult, error) {
	d.mu.RLock()
	c, workers := d.config, d.sinks
	d.mu.RUnlock()
	chosen, err := choose(c, name)
	if err != nil {
		return nil, err
	}
	var all []TestResult
	for _, s := range chosen {
		all = append(all, d.options.test(ctx, s, workers[s.Name].sink))
	}
	return all, nil
}

func choose(c *config.Config, name string) (all []*config.Sink, err error) {
	var names []string
	for i := range c.Sinks {
		names = append(names, c.Sinks[i].Name)
		if name == "" || c.Sinks[i].Name == name {
			all = append(all, &c.Sinks[i])
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %q; there are %s", ErrNoSink, name, strings.Join(names, ", "))
	}
	return all, nil
}

func (o Options) test(ctx context.Context, c *config.Sink, s sink.Sink) TestResult {
	began := o.Now()
	err := s.Send(ctx, []sink.Message{{Alert: o.testAlert(c), Key: fmt.Sprintf("test-%s-%d", c.Name, began.UnixNano())}})
	r := TestResult{Sink: c.Name, Type: c.Type, Target: c.Target(), OK: err == nil, Took: o.Now().Sub(began)}
	r.Millis = r.Took.Milliseconds()
	if err != nil {
		r.Problem = err.Error()
	}
	return r
}

func (o Options) testAlert(c *config.Sink) alert.Alert {
	now := o.Now().UTC()
	a := alert.Alert{
		ID: "7e577e577e577e57", Revision: 1, Kind: sink.Test, Severity: analyze.SeverityInfo, Status: alert.Firing,
		Title:     "Test: alerts of Netcinch arrive here",
		Text:      "Somebody tried the sink " + c.Name + ". There is nothing to do.",
		Workloads: []string{}, Evidence: []string{}, Edges: []alert.Edge{}, Processes: []string{}, Allowances: []alert.Allowance{},
		Started: now, LastSeen: now, Raised: now, Changed: now, Link: "/alerts", Labels: map[string]string{"sink": c.Name},
	}
	if len(o.Clusters) > 0 {
		a.Cluster = o.Clusters[0]
	}
	return a
}

// TestFile tells the sinks of a file a test alert, without a running
// recommender and without a queue; an empty name means each of them. The error
// is what is wrong with the file, or ErrNoSink.
func TestFile(ctx context.Context, o Options, name string) ([]TestResult, error) {
	o.Dir = "-" // nothing is kept
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	chosen, err := choose(c, name)
	if err != nil {
		return nil, err
	}
	made, err := (&Delivery{options: o}).make(c)
	if err != nil {
		return nil, err
	}
	var all []TestResult
	for _, s := range chosen {
		all = append(all, o.test(ctx, s, made[s.Name]))
	}
	return all, nil
}

// CheckFile reads a file, and looks whether each of its sinks can be reached.
// Nobody is told anything. The error is what is wrong with the file.
func CheckFile(ctx context.Context, o Options) ([]TestResult, error) {
	o.Dir = "-" // nothing is kept
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	made, err := (&Delivery{options: o}).make(c)
	if err != nil {
		return nil, err
	}
	var all []TestResult
	for i := range c.Sinks {
		s := &c.Sinks[i]
		began := o.Now()
		err := made[s.Name].Probe(ctx)
		r := TestResult{Sink: s.Name, Type: s.Type, Target: s.Target(), OK: err == nil, Took: o.Now().Sub(began)}
		if r.Millis = r.Took.Milliseconds(); err != nil {
			r.Problem = err.Error()
		}
		all = append(all, r)
	}
	return all, nil
}

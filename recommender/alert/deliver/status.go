// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"log/slog"
	"time"
)

// State says how a sink fares.
type State string

// The states.
const (
	Untried State = "untried" // nothing was told, and nobody looked yet
	Up      State = "up"
	Failing State = "failing" // the last try failed; it is tried again
	Dead    State = "dead"    // it has failed for long; the others were told
)

// Status is how the delivery fares. There is no secret in it.
type Status struct {
	File    string       `json:"file"`
	Read    time.Time    `json:"read,omitzero"`     // when the file that is in force was read
	Problem string       `json:"problem,omitempty"` // why the file as it is now is not in force
	Sinks   []SinkStatus `json:"sinks"`             // in the order of the file
}

// SinkStatus is how a sink fares.
type SinkStatus struct {
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	Target     string    `json:"target"` // scheme, host and port
	State      State     `json:"state"`
	Problem    string    `json:"problem,omitempty"` // of the last try
	Failing    time.Time `json:"failingSince,omitzero"`
	Success    time.Time `json:"lastSuccess,omitzero"`
	Waiting    int       `json:"waiting"` // alerts in its queue
	Limit      int       `json:"limit"`   // at most
	Oldest     time.Time `json:"oldest,omitzero"`
	Delivered  uint64    `json:"delivered"`  // alerts that it took
	Overflowed uint64    `json:"overflowed"` // dropped because the queue was full
	Refused    uint64    `json:"refused"`    // that it did not take
}

// Status says how the delivery fares.
func (d *Delivery) Status() Status {
	depths, err := d.queue.Depths()
	records, err2 := d.queue.Records()
	for _, e := range []error{err, err2} {
		if e != nil {
			d.options.Log.Warn("asking the queue of alerts", slog.Any("error", e))
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := Status{File: d.config.File, Read: d.at.UTC(), Problem: d.wrong, Sinks: []SinkStatus{}}
	for i := range d.config.Sinks {
		c := &d.config.Sinks[i]
		w := d.sinks[c.Name]
		w.mu.Lock()
		now := w.state
		w.mu.Unlock()
		r := records[c.Name]
		one := SinkStatus{
			Name: c.Name, Type: c.Type, Target: c.Target(), State: Up, Problem: now.problem, Failing: now.failing.UTC(), Success: now.success.UTC(),
			Waiting: depths[c.Name].Items, Limit: c.Queue, Oldest: depths[c.Name].Oldest,
			Delivered: r.Delivered, Overflowed: r.Overflowed, Refused: r.Refused,
		}
		if now.failing.IsZero() {
			one.Failing = time.Time{}
		}
		switch {
		case now.dead:
			one.State = Dead
		case !now.failing.IsZero():
			one.State = Failing
		case now.success.IsZero():
			one.State = Untried
			one.Success = time.Time{}
		}
		s.Sinks = append(s.Sinks, one)
	}
	return s
}

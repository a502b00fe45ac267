// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
)

// Message is one revision of an alert, to be told.
type Message struct {
	Alert alert.Alert
	// Before is the revision that the sink was told last, where it is told again
	// and again until it is over; nil for none.
	Before *alert.Alert
	Key    string // names the message for ever: a repetition has the same
}

// Firing says whether the alert is open: somebody should look.
func (m *Message) Firing() bool { return m.Alert.Status == alert.Firing }

// Sink tells messages. Implementations are safe for concurrent use.
type Sink interface {
	// Send tells messages, in order. Nil: the receiver has them all. Otherwise
	// it may have some of them; they are sent again.
	Send(ctx context.Context, messages []Message) error
	// Probe looks whether the receiver can be reached, without telling it
	// anything.
	Probe(ctx context.Context) error
	// Batch is how many messages Send takes at once, at most.
	Batch() int
}

// Repeater is a sink whose receiver forgets what it is not told again.
type Repeater interface {
	// Every is after what time an alert that fires is to be told again.
	Every() time.Duration
	// Repeat tells alerts that fire still.
	Repeat(ctx context.Context, alerts []alert.Alert) error
}

// RefusedError says that a receiver will not take a message, now or later.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "it refuses the alert: " + e.Reason }

// waitError carries how long the receiver wants to be left alone.
type waitError struct {
	error

	wait time.Duration
}

func (e *waitError) Unwrap() error { return e.error }

// WaitOf gives how long the receiver wants to be left alone; 0 where it did
// not say.
func WaitOf(err error) time.Duration {
	if w, ok := errors.AsType[*waitError](err); ok {
		return w.wait
	}
	return 0
}

// Clock gives the time.
type Clock func() time.Time

// Texts says what each message is told with.
type Texts struct {
	Page string // address that links begin with; empty for none
}

// Data is what templates are filled in from: the alert with what follows from
// it.
type Data struct {
	alert.Alert

	Firing bool   // false once it is over
	Name   string // of the kind, such as UnseenConnection
	Does   string // what to do about the kind, a sentence
	URL    string // of the alert in the page; empty where its address is not known
}

// DataOf gives what templates see of an alert.
func (t Texts) DataOf(a *alert.Alert) Data {
	d := Data{Alert: *a, Firing: a.Status == alert.Firing, URL: t.link(a)}
	if info, ok := Info(a.Kind); ok {
		d.Name, d.Does = info.Name, info.Does
	}
	return d
}

func (t Texts) link(a *alert.Alert) string {
	if t.Page == "" || a.Link == "" {
		return ""
	}
	return t.Page + a.Link
}

// The kinds that the delivery itself raises.
const (
	SinkDown alert.Kind = "sink-down" // a sink that takes nothing for long; told to the others
	Test     alert.Kind = "test"      // somebody tries a sink
)

// Own describes the kinds that the delivery itself raises.
func Own() []alert.KindInfo {
	return []alert.KindInfo{
		{Kind: SinkDown, Name: "AlertSinkDown", Severity: "high", Meaning: "A place that alerts are sent to takes none of them.", Does: "Look at the receiver; what waits is told once it answers again."},
		{Kind: Test, Name: "Test", Severity: "info", Meaning: "Somebody tries whether alerts arrive.", Does: "Nothing: that it is here says that it works."},
	}
}

// Info describes a kind: those of package alert, and our own.
func Info(k alert.Kind) (alert.KindInfo, bool) {
	for _, own := range Own() {
		if own.Kind == k {
			return own, true
		}
	}
	return alert.Info(k)
}

// encode writes a value as one line of JSON.
func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, &RefusedError{Reason: fmt.Sprintf("it cannot be written as JSON: %v", err)}
	}
	return text, nil
}

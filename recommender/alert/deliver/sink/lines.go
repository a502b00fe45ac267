// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Schema names the form of an alert in lines and webhooks.
const Schema = "netcinch.alert/v1"

// record is an alert as lines and webhooks have it.
type record struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`          // of the kind
	Firing bool   `json:"firing"`        // false once it is over
	URL    string `json:"url,omitempty"` // of the alert in the page
	Alert  any    `json:"alert"`
}

func recordOf(d *Data) record {
	return record{Schema: Schema, Name: d.Name, Firing: d.Firing, URL: d.URL, Alert: d.Alert}
}

// lines writes an alert a line.
type lines struct {
	mu    sync.Mutex
	out   io.Writer
	texts Texts
}

func (*lines) Batch() int { return 64 }

func (l *lines) Send(_ context.Context, messages []Message) error {
	var all []byte
	for i := range messages {
		d := l.texts.DataOf(&messages[i].Alert)
		line, err := encode(recordOf(&d))
		if err != nil {
			return err
		}
		all = append(append(all, line...), '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.out.Write(all); err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

// Probe has nothing to reach.
func (l *lines) Probe(context.Context) error {
	if l.out == nil {
		return errors.New("there is no standard output")
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

// Format is a tool whose logs can be read.
type Format string

// The formats.
const (
	Hubble    Format = "hubble"
	Calico    Format = "calico"
	NetObserv Format = "netobserv"
)

// Formats lists them for messages.
var Formats = []Format{Hubble, Calico, NetObserv}

// Options tune an import. The zero value is good.
type Options struct {
	// Window is the length of the time bins that events are folded to; 0 means
	// five minutes.
	Window time.Duration
	// MaxOpen bounds how many connections are kept in mind at once; 0 means
	// 200,000. Beyond it the oldest window is closed early.
	MaxOpen int
	// Workload names the owner of a pod that the log gives by its name only,
	// which may end in "*" for several. Nil: nobody knows.
	Workload func(namespace, pod string) (flow.Workload, bool)
}

// Summary says what became of a log.
type Summary struct {
	Events  uint64               // entries that could be read
	Taken   uint64               // of them, those that became part of a record
	Records uint64               // that were written
	Replies uint64               // of the taken, those in the direction from server to client
	Guessed uint64               // of the taken, those whose direction was guessed from port numbers
	Early   uint64               // windows closed early, since too much was open
	Left    []Left               // events left out, most frequent first
	Unknown []jsonl.UnknownField // fields that the published format does not have, by name
	Bad     []*jsonl.LineError   // the first lines that could not be read
	BadAll  uint64               // how many there were
	From    time.Time            // of the taken
	To      time.Time
}

// Left is why events were left out.
type Left struct {
	Why     string
	Events  uint64
	Example string // of what it was about; empty where there is nothing to tell
}

const (
	defaultWindow  = 5 * time.Minute
	defaultMaxOpen = 200_000
	maxBad         = 20
)

// ErrNothing says that not one event of a log could be read.
var ErrNothing = errors.New("no event could be read")

// Convert reads a log and hands out records, window by window; file is the
// name that messages carry. Lines that cannot be read are in the summary; an
// error ends the import: emit's own, one of reading, or ErrNothing.
func Convert(r io.Reader, file string, format Format, o Options, emit func(flow.Record) error) (*Summary, error) {
	if o.Window <= 0 {
		o.Window = defaultWindow
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = defaultMaxOpen
	}
	s := &Summary{}
	im := &importer{options: o, summary: s, left: map[string]*Left{}, services: map[socket]string{}}
	im.folder = newFolder(o, s, emit)
	var read func(object) error
	var known shape
	switch format {
	case Hubble:
		read, known = im.hubble, hubbleShape
	case Calico:
		read, known = im.calico, calicoShape
	case NetObserv:
		read, known = im.netobserv, netobservShape
	default:
		return nil, fmt.Errorf("importing %s: format %q is not known; want one of %s", file, format, names(Formats))
	}
	l := newLines(r, file, known)
	if err := im.all(l, read); err != nil {
		return s, err
	}
	if err := im.folder.closeAll(); err != nil {
		return s, err
	}
	s.Unknown = l.unknownFields()
	for _, x := range im.left {
		s.Left = append(s.Left, *x)
	}
	slices.SortFunc(s.Left, func(a, b Left) int { return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Why, b.Why)) })
	if s.Events == 0 && s.BadAll > 0 {
		return s, fmt.Errorf("importing %s as %s: %w; the first one: %w", file, format, ErrNothing, s.Bad[0])
	}
	return s, nil
}

func names(formats []Format) string {
	var out []string
	for _, f := range formats {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}

// importer holds what one import keeps in mind.
type importer struct {
	options  Options
	summary  *Summary
	folder   *folder
	left     map[string]*Left
	services map[socket]string // what a client's socket dialled, before translation
}

// all reads event by event.
func (im *importer) all(l *lines, read func(object) error) error {
	for {
		o, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = read(o)
			if err == nil {
				im.summary.Events++
				continue
			}
			if fe, ok := errors.AsType[*fieldError](err); ok {
				err = l.bad(fe.field, fe.message)
			}
		}
		var bad *jsonl.LineError
		if !errors.As(err, &bad) {
			return err
		}
		im.summary.BadAll++
		if len(im.summary.Bad) < maxBad {
			im.summary.Bad = append(im.summary.Bad, bad)
		}
	}
}

// maxReasons bounds how many reasons are told apart.
const maxReasons = 64

// leave counts an event that becomes no edge.
func (im *importer) leave(why, example string) {
	x := im.left[why]
	if x == nil {
		if len(im.left) >= maxReasons {
			why = "other reasons"
		}
		if x = im.left[why]; x == nil {
			x = &Left{Why: why, Example: example}
			im.left[why] = x
		}
	}
	x.Events++
}

// take keeps a sighting.
func (im *importer) take(s *sighting) error {
	im.summary.Taken++
	if s.reply {
		im.summary.Replies++
	}
	if s.edge.Guessed {
		im.summary.Guessed++
	}
	if im.summary.From.IsZero() || s.at.Before(im.summary.From) {
		im.summary.From = s.at
	}
	if s.at.After(im.summary.To) {
		im.summary.To = s.at
	}
	return im.folder.add(s)
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"strings"
	"time"
)

const (
	dayLength = 24 * time.Hour
	dayLayout = "2006-01-02"
	dayPrefix = "edges-"
	dbSuffix  = ".db"
)

// day is a UTC day: its start.
type day struct{ start time.Time }

func dayOf(t time.Time) day { return day{t.UTC().Truncate(dayLength)} }

func (d day) String() string    { return d.start.Format(dayLayout) }
func (d day) file() string      { return dayPrefix + d.String() + dbSuffix }
func (d day) end() time.Time    { return d.start.Add(dayLength) }
func (d day) before(o day) bool { return d.start.Before(o.start) }

// parseDay reads a file name; false for files that are not ours.
func parseDay(file string) (day, bool) {
	name, ok := strings.CutPrefix(file, dayPrefix)
	if !ok {
		return day{}, false
	}
	name, ok = strings.CutSuffix(name, dbSuffix)
	if !ok {
		return day{}, false
	}
	start, err := time.Parse(dayLayout, name)
	return day{start}, err == nil
}

// floor and ceil give milliseconds since the day's start, rounded outward.
func (d day) floor(t time.Time) int64 { return floorDiv(t.Sub(d.start), time.Millisecond) }
func (d day) ceil(t time.Time) int64  { return -floorDiv(-t.Sub(d.start), time.Millisecond) }

// at is the inverse of floor and ceil.
func (d day) at(ms int64) time.Time { return d.start.Add(time.Duration(ms) * time.Millisecond) }

func floorDiv(a, b time.Duration) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return int64(q)
}

// span is a run of buckets of one level: first in, last in.
type span struct {
	level       int
	first, last int64
}

// spans gives the runs that cover [from, to) of the day at the resolution,
// coarsest first. Times outside the day are cut to it; from and to are rounded
// outward.
func (d day) spans(from, to time.Time, resolution time.Duration) []span {
	low, high := max(0, from.Sub(d.start)), min(dayLength, to.Sub(d.start))
	if low >= high {
		return nil
	}
	first, last := int64(low/resolution), int64((high-1)/resolution)
	perHour := int64(time.Hour / resolution)
	if first == 0 && last == 24*perHour-1 {
		return []span{{levelDay, 0, 0}}
	}
	hourFirst, hourLast := (first+perHour-1)/perHour, (last+1)/perHour-1 // hours wholly inside
	if hourFirst > hourLast || perHour == 1 {
		return []span{{levelFine, first, last}}
	}
	spans := []span{{levelHour, hourFirst, hourLast}}
	if first < hourFirst*perHour {
		spans = append(spans, span{levelFine, first, hourFirst*perHour - 1})
	}
	if last >= (hourLast+1)*perHour {
		spans = append(spans, span{levelFine, (hourLast + 1) * perHour, last})
	}
	return spans
}

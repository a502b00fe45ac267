// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cronFields are the fields of a schedule, as Kubernetes' CronJob takes them:
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
var cronFields = []struct {
	name     string
	low, top int
	words    []string
}{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var cronNames = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// cron is a parsed schedule: one bit for each value of a field.
type cron struct {
	fields         [5]uint64
	anyDay, anyDOW bool
}

// Period gives the longest time between two runs of a CronJob's schedule.
func Period(schedule string) (time.Duration, error) {
	text := strings.TrimSpace(schedule)
	for _, prefix := range []string{"TZ=", "CRON_TZ="} {
		if strings.HasPrefix(text, prefix) {
			_, text, _ = strings.Cut(text, " ")
		}
	}
	if every, ok := strings.CutPrefix(text, "@every "); ok {
		d, err := time.ParseDuration(strings.TrimSpace(every))
		if err != nil || d <= 0 {
			return 0, fmt.Errorf("schedule %q: want a duration such as 90m after @every", schedule)
		}
		return d, nil
	}
	if named, ok := cronNames[text]; ok {
		text = named
	}
	c, err := parseCron(text)
	if err != nil {
		return 0, fmt.Errorf("schedule %q: %w", schedule, err)
	}
	return c.longestGap()
}

func parseCron(text string) (cron, error) {
	var c cron
	parts := strings.Fields(text)
	if len(parts) != len(cronFields) {
		return c, fmt.Errorf("has %d fields; want 5: minute, hour, day of month, month, day of week", len(parts))
	}
	for i, part := range parts {
		bits, err := parseCronField(i, strings.ToLower(part))
		if err != nil {
			return c, err
		}
		c.fields[i] = bits
	}
	if c.fields[4]&(1<<7) != 0 { // 7 is Sunday too
		c.fields[4] |= 1
	}
	c.anyDay, c.anyDOW = strings.ContainsAny(parts[2][:1], "*?"), strings.ContainsAny(parts[4][:1], "*?")
	return c, nil
}

func parseCronField(i int, text string) (uint64, error) {
	f := cronFields[i]
	var bits uint64
	for item := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(item, "/")
		low, top := f.low, f.top
		if span != "*" && span != "?" {
			from, to, isRange := strings.Cut(span, "-")
			var err error
			if low, err = cronValue(i, from); err != nil {
				return 0, err
			}
			switch {
			case isRange:
				if top, err = cronValue(i, to); err != nil {
					return 0, err
				}
			case !stepped:
				top = low
			}
		}
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return 0, fmt.Errorf("%s %q: want a positive number after /", f.name, item)
			}
			step = n
		}
		if low > top {
			return 0, fmt.Errorf("%s %q: the range runs backwards", f.name, item)
		}
		for v := low; v <= top; v += step {
			bits |= 1 << v
		}
	}
	return bits, nil
}

func cronValue(i int, text string) (int, error) {
	f := cronFields[i]
	for v, word := range f.words {
		if word != "" && word == text {
			return v, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.low || n > f.top {
		return 0, fmt.Errorf("%s %q: want a number from %d to %d", f.name, text, f.low, f.top)
	}
	return n, nil
}

// cronHorizon covers leap years, so that "29 February" has a gap.
const cronHorizon = 9 * 366

func (c cron) longestGap() (time.Duration, error) {
	day := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	var last time.Time
	var gap time.Duration
	for range cronHorizon {
		if c.onDay(day) {
			for minute := range 24 * 60 {
				if c.fields[1]&(1<<(minute/60)) == 0 || c.fields[0]&(1<<(minute%60)) == 0 {
					continue
				}
				at := day.Add(time.Duration(minute) * time.Minute)
				if !last.IsZero() {
					gap = max(gap, at.Sub(last))
				}
				last = at
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	if gap == 0 {
		return 0, fmt.Errorf("never runs twice within %d days", cronHorizon)
	}
	return gap, nil
}

// onDay: where day of month and day of week are both restricted, either makes
// the job run (crontab(5)).
func (c cron) onDay(day time.Time) bool {
	if c.fields[3]&(1<<int(day.Month())) == 0 {
		return false
	}
	dom, dow := c.fields[2]&(1<<day.Day()) != 0, c.fields[4]&(1<<int(day.Weekday())) != 0
	if !c.anyDay && !c.anyDOW {
		return dom || dow
	}
	return dom && dow
}

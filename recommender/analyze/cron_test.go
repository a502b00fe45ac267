// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"strings"
	"testing"
	"time"
)

func TestPeriod(t *testing.T) {
	day := 24 * time.Hour
	for schedule, want := range map[string]time.Duration{
		"* * * * *":                       time.Minute,
		"*/15 * * * *":                    15 * time.Minute,
		"5-50/20 * * * *":                 20 * time.Minute, // 5, 25, 45
		"0 */6 * * *":                     6 * time.Hour,
		"30 2 * * *":                      day,
		"0 9 * * MON-fri":                 3 * day,
		"0 0 * * 7":                       7 * day,
		"@monthly":                        31 * day,
		"0 0 1 * MON":                     7 * day, // either day makes it run
		"0 0 29 2 *":                      1461 * day,
		"@every 90m":                      90 * time.Minute,
		"CRON_TZ=Europe/Berlin 0 * * * *": time.Hour,
		"0 0 1,15 jan *":                  352 * day, // in a leap year
	} {
		got, err := Period(schedule)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", schedule, got, err, want)
		}
	}
	for schedule, word := range map[string]string{
		"": "has 0 fields", "* * * *": "has 4 fields", "61 * * * *": "minute", "0 24 * * *": "hour", "0 0 0 * *": "day of month",
		"0 0 * foo *": "month", "*/0 * * * *": "positive", "9-3 * * * *": "backwards", "0 0 31 2 *": "never", "@every x": "duration",
	} {
		if d, err := Period(schedule); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: got %s, %v; want an error with %q", schedule, d, err, word)
		}
	}
}

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"* * * * *", "0 0 29 2 *", "1-5/2,7 * * jan-mar sun", "@daily", "@every 5s", "TZ=UTC 0 0 ? * ?", "0 0 * * 7/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, schedule string) {
		if len(schedule) > 60 {
			return
		}
		if d, err := Period(schedule); err == nil && d <= 0 {
			t.Errorf("%q has the period %s", schedule, d)
		}
	})
}

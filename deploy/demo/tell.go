// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// settleTime is when every call has been tried at least once.
const settleTime = 12 * time.Second

// say writes one line. A reader that went away changes nothing.
func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// tell is say with the time since the start.
func (d *demo) tell(start time.Time, format string, args ...any) {
	d.say("  %s  "+format, append([]any{clock(d.now().Sub(start))}, args...)...)
}

// clock gives minutes and seconds.
func clock(t time.Duration) string {
	seconds := int(t.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// introduce prints the link and what to watch for.
func (d *demo) introduce() {
	d.say("")
	d.say("  Open  http://%s/#token=%s", d.page, d.token)
	d.say("")
	d.say("  What to watch for:")
	d.say("  now   the map fills: who really talks to whom, and with which policy's leave")
	d.say("  %s  allowances that nobody uses: search at the cart, port 8443 at the frontend, 16379 at the cache, a whole namespace at the database", clock(d.options.learning))
	d.say("  %s  a connection that was never there before: frontend to database", clock(d.options.unseenAfter+d.options.window))
	d.say("  then  Recommendations: the tightened policies, each with its proof, to download")
	d.say("")
	d.say("  Ctrl-C ends it and leaves nothing behind.")
	d.say("")
}

// summary says how the shop's calls fare.
func (d *demo) summary() string {
	fine := 0
	var failing []string
	for _, c := range d.world.Calls() {
		if c.OK {
			fine++
			continue
		}
		failing = append(failing, fmt.Sprintf("%s to %s", c.Container, strings.TrimPrefix(c.Call, "http://")))
	}
	if len(failing) == 0 {
		return fmt.Sprintf("%d calls work", fine)
	}
	return fmt.Sprintf("%d calls work; denied: %s", fine, strings.Join(failing, ", "))
}

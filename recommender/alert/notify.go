// SPDX-License-Identifier: Apache-2.0

package alert

import "context"

// Notifier takes changes of alerts: those that began to fire, changed, or
// ended. It has them on disk when it returns nil; what it refuses with an
// error it is given again later. Since a crash may come between its return and
// the note of it, the same ID and Revision may come twice: it keeps one.
//
// Only what tells (Alert.Tells) is handed over. An alert that ended comes with
// Status Resolved, Accepted or Rejected and Ended set; one that is held back
// after it was told comes with Status Silenced once, so that it can be closed.
// Implementations are safe for concurrent use.
type Notifier interface {
	Notify(ctx context.Context, changed []Alert) error
}

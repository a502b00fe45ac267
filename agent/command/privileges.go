// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"errors"
	"log/slog"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/privilege"
)

// errNoEntry says that another network namespace than the agent's own was asked for.
var errNoEntry = errors.New("missing CAP_SYS_ADMIN (entering the network namespace that --netns names): give the agent this capability, or run it in the node's network namespace (hostNetwork: true) and leave --netns out")

// checkPrivileges refuses to start without what everything needs, and tells
// each further capability that is missing. netns is the node's network
// namespace; empty for the agent's own.
func checkPrivileges(logger *slog.Logger, netns string) (privilege.Set, error) {
	held, err := privilege.Held()
	if err != nil {
		return 0, err
	}
	if err := privilege.Check(held); err != nil {
		return 0, err
	}
	if netns != "" && !held.Has(unix.CAP_SYS_ADMIN) {
		return 0, errNoEntry
	}
	for _, c := range privilege.Lacking(held) {
		logger.Warn("done without a capability", slog.String("capability", c.Name), slog.String("used_for", c.For), slog.String("lost", c.Lost))
	}
	return held, nil
}

// dropPrivileges gives up what is not needed from now on. Roams says whether
// network namespaces of pods are still to be entered. The agent works with more
// privileges than it needs rather than not at all: what fails is told.
func dropPrivileges(logger *slog.Logger, held privilege.Set, roams bool, files []privilege.File) {
	keep := privilege.Needed(held, roams)
	forFiles, because, err := privilege.ForFiles(held, files)
	if err == nil {
		if because != "" {
			logger.Warn("the right to use the files of other users is kept: give this one to the agent's user to do without",
				slog.String("file", because))
		}
		err = privilege.Drop(keep | forFiles)
	}
	switch {
	case errors.Is(err, privilege.ErrThreads):
		logger.Debug("privileges are not dropped", slog.Any("error", err))
	case err != nil:
		logger.Warn("privileges are not dropped", slog.Any("error", err))
	default:
		logger.Info("privileges dropped", slog.String("kept", strings.Join(privilege.Names(keep|forFiles), ",")))
	}
}

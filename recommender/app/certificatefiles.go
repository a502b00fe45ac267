// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/tls"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateFiles is a certificate in files that somebody else renews: they
// are read again when they change. While they do not go together, or one is
// missing, the pair that was read before stays.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu    sync.Mutex
	pair  *tls.Certificate
	stamp [2]fileStamp
}

// fileStamp tells whether a file is another one than it was.
type fileStamp struct {
	modified time.Time
	size     int64
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path) // of what a link points to: volumes of secrets swap links
	if err != nil {
		return fileStamp{}
	}
	return stampIn(info)
}

func stampIn(info fs.FileInfo) fileStamp { return fileStamp{info.ModTime(), info.Size()} }

// load reads both files.
func (c *certificateFiles) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read needs the lock.
func (c *certificateFiles) read() error {
	// The stamps first: what changes while it is read is read again.
	c.stamp = [2]fileStamp{stampOf(c.cert), stampOf(c.key)}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}

// current gives the newest pair that could be read.
func (c *certificateFiles) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stamp == [2]fileStamp{stampOf(c.cert), stampOf(c.key)} {
		return c.pair
	}
	before := c.pair
	if err := c.read(); err != nil {
		c.log.Warn("the certificate of the agents' port changed and cannot be read; the one before is used", slog.String("cert", c.cert), slog.Any("error", err))
		return before
	}
	c.log.Info("the certificate of the agents' port was read anew", slog.String("cert", c.cert), slog.Time("until", c.pair.Leaf.NotAfter))
	return c.pair
}

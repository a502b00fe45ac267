// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
	"github.com/netcinch/netcinch/web"
)

// App is a recommender: made by New, run once by Run.
type App struct {
	options Options
	token   string
	started time.Time
	ended   time.Time // end of what the flow files tell; zero where there are none

	members []*member // at least one; the first is the one that is meant where none is named
	past    past
	page    *api.Server
	judges  *judges // nil where no API server judges anybody
	metrics *metrics

	delivery *deliver.Delivery // nil where alerts are told to nobody

	pageAt, ingestAt net.Listener // ingestAt is nil where all is read from files
	ingest           http.Handler

	closing  sync.Once
	closers  []func() error // run in reverse
	closeErr error
}

// New opens everything: sources, store, ports. What fails is one error that
// says what to do; nothing stays open then.
func New(o Options) (*App, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	a := &App{options: o, started: o.Now()}
	if err := a.open(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *App) open() error {
	for _, step := range []func() error{a.openFolder, a.openPorts, a.openJudges, a.openMembers, a.openPast, a.openDelivery, a.openPage, a.openIngest} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) later(f func() error) { a.closers = append(a.closers, f) }

// close gives back what was opened, the last first. It runs once.
func (a *App) close() error {
	a.closing.Do(func() {
		for _, closer := range slices.Backward(a.closers) {
			a.closeErr = errors.Join(a.closeErr, closer())
		}
	})
	return a.closeErr
}

func (a *App) openFolder() (err error) {
	if dir := a.options.DataDir; dir != "" {
		if err = os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making --data-dir %s: %w; make it yourself, or give another folder", dir, cause(err))
		}
	}
	a.token, err = pageToken(a.options)
	return err
}

// openPorts comes before anything that takes long: a taken port is known at once.
func (a *App) openPorts() (err error) {
	if a.pageAt, err = listen("page", "--listen", a.options.Listen, DefaultListen); err != nil {
		return err
	}
	a.later(quietly(a.pageAt.Close))
	if a.options.files() {
		return nil
	}
	if a.ingestAt, err = listen("agents", "--ingest-listen", a.options.IngestListen, DefaultIngestListen); err != nil {
		return err
	}
	a.later(quietly(a.ingestAt.Close))
	return nil
}

func listen(what, flag, address, example string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		if _, _, split := net.SplitHostPort(address); split != nil {
			return nil, fmt.Errorf("listening for the %s: %q is not host:port; give an address such as %s with %s", what, address, example, flag)
		}
		return nil, fmt.Errorf("listening for the %s: %s: %s; choose another address with %s", what, address, whyNot(err), flag)
	}
	return l, nil
}

// whyNot says why an address cannot be listened on, once and in plain words.
func whyNot(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "there is no host or port of the name " + strconv.Quote(dns.Name)
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err.Error()
	}
	if ae, ok := errors.AsType[*net.AddrError](err); ok {
		return ae.Err
	}
	return err.Error()
}

// quietly passes over that something is closed already.
func quietly(f func() error) func() error {
	return func() error {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (a *App) openPast() error {
	a.metrics = newMetrics(a.options)
	var problems []cluster.Problem
	if a.options.files() {
		m := a.members[0]
		records, unknown, err := readFlows(a.options.Flows, m.history)
		if err != nil {
			return err
		}
		a.ended = records.end()
		a.past, problems, m.sources = records, unknown, append(m.sources, a.options.Flows...)
	} else {
		s, err := sqlite.Open(sqlite.Options{
			Dir: filepath.Join(a.options.DataDir, "flows"), Retention: a.options.Retention, Clock: a.options.Now, Logger: a.options.Log,
		})
		if err != nil {
			return fmt.Errorf("opening the store in --data-dir %s: %w", a.options.DataDir, err)
		}
		a.past = stored{s, s}
	}
	a.later(a.past.Close)
	if err := a.openAlerts(); err != nil {
		return err
	}
	a.openViews(problems)
	return nil
}

func (a *App) openPage() error {
	files, err := web.Files()
	if err != nil {
		return fmt.Errorf("reading the built page: %w", err)
	}
	var known api.People
	if a.options.People == PeopleKubernetes {
		known = &people{judges: a.judges, audience: a.options.Audience, cluster: a.members[0].name}
	}
	a.page, err = api.New(api.Options{
		Source: a, Alerts: a, Delivery: a.told(), Token: a.token, People: known, Register: a.metrics.registry, Page: files, Hosts: pageHosts(a.options), Metrics: a.metrics.handler(), Now: a.options.Now, Log: a.options.Log,
	})
	return err
}

// pageHosts are the names that the page may be opened by.
func pageHosts(o Options) []string {
	hosts := append([]string(nil), o.PageHosts...)
	if host, _, err := net.SplitHostPort(o.Listen); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	if host, err := os.Hostname(); err == nil {
		hosts = append(hosts, host)
	}
	return hosts
}

// Run serves until the context ends, then stops gracefully: requests in flight
// are answered, the store is closed. Its error is nil after a clean stop.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range a.members {
		group.Go(func() error { a.follow(ctx, m); return nil })
		group.Go(func() error { a.keepCurrent(ctx, m); return nil })
	}
	if a.delivery != nil {
		group.Go(func() error { return a.delivery.Run(ctx) })
	}
	group.Go(func() error { return a.serve(ctx, a.pageAt, a.page, false) })
	if a.ingestAt != nil {
		group.Go(func() error { return a.serve(ctx, a.ingestAt, a.ingest, true) })
	}
	return errors.Join(group.Wait(), a.close())
}

// PageURL is the address of the page with the token that lets a person in:
// http://127.0.0.1:8080/#token=…
func (a *App) PageURL() string {
	if a.token == "" {
		return a.PageAddress()
	}
	return a.PageAddress() + "/#token=" + a.token
}

// PageAddress is the address of the page, without the token.
func (a *App) PageAddress() string { return "http://" + reachable(a.pageAt) }

// IngestURL is the address that agents send to; empty where there is no ingest.
func (a *App) IngestURL() string {
	if a.ingestAt == nil {
		return ""
	}
	return "https://" + reachable(a.ingestAt)
}

// reachable gives an address that one can open: any address becomes loopback.
func reachable(l net.Listener) string {
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !at.Addr().IsUnspecified() {
		return l.Addr().String()
	}
	if at.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String()
}

var _ api.Source = (*App)(nil)

// View implements api.Source.
func (a *App) View(ctx context.Context, s api.Span) (*api.View, error) {
	m := a.member(s.Cluster)
	if m == nil {
		return nil, fmt.Errorf("there is no cluster %q", s.Cluster) // the API has looked before
	}
	return m.views.of(ctx, s)
}

// Now implements api.Source.
func (a *App) Now() time.Time {
	if !a.ended.IsZero() {
		return a.ended
	}
	return a.options.Now()
}

// Status implements api.Source.
func (a *App) Status(cluster string) api.Status {
	m := a.member(cluster)
	if m == nil {
		return api.Status{Clusters: a.names()}
	}
	s := api.Status{
		Cluster: m.name, Clusters: a.names(), Release: a.options.Release, Live: a.ingestAt != nil, Started: a.started,
		Sources: m.sources, Ingest: a.IngestURL(), Learning: a.options.Learning,
	}
	var view *api.View
	if s.Failure, view = m.views.status(); view != nil {
		s.Kept = keptSpan(view)
	}
	return s
}

// keptSpan is the time of which anything is kept.
func keptSpan(v *api.View) api.Span {
	var span api.Span
	extend := func(from, to time.Time) {
		if span.From.IsZero() || !from.IsZero() && from.Before(span.From) {
			span.From = from
		}
		if to.After(span.To) {
			span.To = to
		}
	}
	extend(v.Report.Window.From, v.Report.Window.To)
	for _, c := range v.Input.Catalogue {
		extend(c.FirstSeen, c.LastSeen)
	}
	return span
}

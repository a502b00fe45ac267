// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/auth"
	ask "github.com/netcinch/netcinch/recommender/question" // question is a request of this API
)

const (
	sessionCookie = "netcinch_session"
	sessionAge    = 30 * 24 * time.Hour
	// pageHeader is set by the page's own scripts. A form of another origin
	// cannot set it, and a script of another origin is stopped by the preflight.
	pageHeader = "X-Netcinch"
)

// sessionOf gives the cookie that stands for a token; the token itself never
// goes into a cookie.
func sessionOf(token string) string {
	sum := sha256.Sum256([]byte("netcinch session\x00" + token))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// guard lets a request through that carries a token or a session, and tells
// the routes whose it is.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.admit(r)
		if err == nil && !s.requests.Allow(who.Name()+" "+auth.HostOf(r.RemoteAddr)) {
			err = problemf(http.StatusTooManyRequests, "You ask too often; wait a second.")
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, withCaller(r, who))
	})
}

// refuse turns somebody away, counts it and notes it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if p, ok := errors.AsType[*problem](err); ok {
		s.refused.WithLabelValues(strconv.Itoa(p.Status)).Inc()
		host := auth.HostOf(r.RemoteAddr)
		if s.quiet.Allow(host) {
			s.log.WarnContext(r.Context(), "refusing a request", "audit", true, "status", p.Status, "route", r.URL.Path, "remote", r.RemoteAddr, "why", p.Detail)
		}
		if p.Status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
	}
	s.fail(w, r, err)
}

// person says whose a token is.
func (s *Server) person(r *http.Request, token string) (Person, error) {
	switch {
	case s.token != "" && same(token, s.token):
		return holder{}, nil
	case s.wrong.Exhausted(auth.HostOf(r.RemoteAddr)) && s.people == nil:
		return nil, problemf(http.StatusTooManyRequests, "Too many wrong tokens came from your address; wait a second.")
	case s.people == nil:
		s.wrong.Allow(auth.HostOf(r.RemoteAddr))
		return nil, problemf(http.StatusUnauthorized, "The token is not the one that this recommender printed at its start.")
	}
	who, err := s.people.Person(auth.WithRemote(r.Context(), r.RemoteAddr), token)
	switch {
	case errors.Is(err, ErrStranger):
		return nil, problemf(http.StatusUnauthorized, "The cluster's API server does not take this token: it is wrong, or over. Get a new one, such as with kubectl create token.")
	case errors.Is(err, ErrTooMany):
		return nil, problemf(http.StatusTooManyRequests, "Too many wrong tokens came from your address; wait a second.")
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnjudged, err)
	}
	return who, nil
}

func (s *Server) admit(r *http.Request) (Person, error) {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return s.person(r, strings.TrimSpace(token))
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, s.noToken()
	}
	token, ok := s.tokenOf(cookie.Value)
	if !ok {
		return nil, s.noToken()
	}
	// The browser sends the cookie by itself, so it must be our page that asks.
	if err = s.checkHost(r); err != nil {
		return nil, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err = checkOrigin(r); err != nil {
			return nil, err
		}
	}
	return s.person(r, token)
}

// tokenOf gives the token that a session stands for.
func (s *Server) tokenOf(session string) (string, bool) {
	if s.token != "" && same(session, sessionOf(s.token)) {
		return s.token, true
	}
	return s.sessions.token(session, s.now())
}

func (s *Server) noToken() *problem {
	if s.people != nil {
		return problemf(http.StatusUnauthorized, "Send a token that the cluster's API server takes as a bearer, or log in with it on the page: kubectl create token NAME makes one for a ServiceAccount.")
	}
	return problemf(http.StatusUnauthorized, "Open the link that the recommender printed at its start, or send its token as a bearer.")
}

// scrape lets metrics be read by who may see the cluster, or may get /metrics.
func (s *Server) scrape(next http.Handler) http.Handler {
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ok, err := callerOf(r.Context()).MayScrape(r.Context())
		switch {
		case err != nil:
			s.fail(w, r, fmt.Errorf("%w: %w", errUnjudged, err))
		case !ok:
			s.refuse(w, r, problemf(http.StatusForbidden, "You may not read the metrics: it takes the right to get the path /metrics."))
		default:
			next.ServeHTTP(w, r)
		}
	}))
}

// checkHost refuses names that are not ours: a page of another name whose
// address was changed to ours (DNS rebinding) is of another origin.
func (s *Server) checkHost(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || slices.Contains(s.hosts, host) {
		return nil
	}
	return problemf(http.StatusMisdirectedRequest, "The name %q is not one of this page's; open it by its address.", host)
}

func checkOrigin(r *http.Request) error {
	if r.Header.Get(pageHeader) == "" {
		return problemf(http.StatusForbidden, "A request with a cookie needs the header %s; scripts send the token as a bearer instead.", pageHeader)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return problemf(http.StatusForbidden, "The request comes from another origin (%s).", origin)
		}
	}
	return nil
}

// session opens or closes one.
func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodDelete {
		return s.closeSession(w, r)
	}
	return s.openSession(w, r)
}

// openSession exchanges the token for a cookie.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkHost(r); err != nil {
		return err
	}
	if err := checkOrigin(r); err != nil {
		return err
	}
	var body struct {
		Token string `json:"token"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if !s.attempts.Allow(auth.HostOf(r.RemoteAddr)) {
		w.Header().Set("Retry-After", "1")
		return problemf(http.StatusTooManyRequests, "Too many tokens were tried; wait a second.")
	}
	if _, err := s.person(r, body.Token); err != nil {
		if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusUnauthorized {
			p.Parameter = "token"
		}
		s.refuse(w, r, err)
		return nil
	}
	if s.token != "" && same(body.Token, s.token) {
		http.SetCookie(w, s.cookie(r, sessionOf(s.token), sessionAge))
	} else {
		http.SetCookie(w, s.cookie(r, s.sessions.open(body.Token, s.now()), personAge))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) closeSession(w http.ResponseWriter, r *http.Request) error {
	if err := checkOrigin(r); err != nil {
		return err
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.sessions.close(cookie.Value)
	}
	http.SetCookie(w, s.cookie(r, "", -time.Second))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) cookie(r *http.Request, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", SameSite: http.SameSiteStrictMode,
	}
}

// maxBody bounds what a request may send; policies to replay are the largest.
const maxBody = 4 << 20

// decode reads a JSON body; unknown fields are errors, so that a misspelt one
// is not taken for an absent one.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return problemf(http.StatusUnsupportedMediaType, "Send application/json, not %q.", kind)
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return notRead(err)
	}
	return nil
}

// notRead says in the words of the API why a body cannot be read.
func notRead(err error) *problem {
	const unknown = "json: unknown field "
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemf(http.StatusRequestEntityTooLarge, "The body has more than the %d bytes that are read; send it in parts.", large.Limit)
	}
	if field, ok := errors.AsType[*ask.FieldError](err); ok {
		return wrong(field.Field, "%s.", field.Message)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrong(cmp.Or(kind.Field, "body"), "A %s is not what is wanted here; /api/v1/openapi.yaml says what is.", kind.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), unknown); ok {
		return wrong(strings.Trim(name, `"`), "There is no field %s in this body; /api/v1/openapi.yaml says which there are.", name)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return wrong("body", "The body is not JSON: it breaks off or goes wrong at byte %d.", syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("body", "The body is empty or breaks off; send a JSON object.")
	}
	return wrong("body", "The body cannot be read; send it again.")
}

// headers sets what every answer carries.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

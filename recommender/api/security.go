// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

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

// guard lets a request through that carries the token or a session.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.admit(r); err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) admit(r *http.Request) error {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		if same(strings.TrimSpace(token), s.token) {
			return nil
		}
		return problemf(http.StatusUnauthorized, "The token is not the one that this recommender printed at its start.")
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || !same(cookie.Value, sessionOf(s.token)) {
		return problemf(http.StatusUnauthorized, "Open the link that the recommender printed at its start, or send its token as a bearer.")
	}
	// The browser sends the cookie by itself, so it must be our page that asks.
	if err := s.checkHost(r); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return checkOrigin(r)
	}
	return nil
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
	if !s.attempts.AllowN(s.now(), 1) {
		w.Header().Set("Retry-After", "1")
		return problemf(http.StatusTooManyRequests, "Too many tokens were tried; wait a second.")
	}
	if !same(body.Token, s.token) {
		p := problemf(http.StatusUnauthorized, "This is not the token that the recommender printed at its start.")
		p.Parameter = "token"
		return p
	}
	http.SetCookie(w, s.cookie(r, sessionOf(s.token), sessionAge))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) closeSession(w http.ResponseWriter, r *http.Request) error {
	if err := checkOrigin(r); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(r, "", -time.Second))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) cookie(r *http.Request, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
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

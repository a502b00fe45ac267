// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func send(server http.Handler, method, url, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w
}

const origin = "http://127.0.0.1:8080"

func openSession(t *testing.T, server http.Handler) *http.Cookie {
	t.Helper()
	w := send(server, "POST", origin+"/api/v1/session", `{"token":"`+token+`"}`, map[string]string{"Content-Type": "application/json", "X-Netcinch": "page", "Origin": origin})
	if w.Code != http.StatusNoContent || len(w.Result().Cookies()) != 1 {
		t.Fatalf("opening a session: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func TestSessionCookie(t *testing.T) {
	c := openSession(t, serve(t, newSource()))
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge <= 0 {
		t.Errorf("the cookie is %+v: want HttpOnly, SameSite=Strict, for /, with an end", c)
	}
	if strings.Contains(c.Value, token) {
		t.Error("the token itself is in the cookie")
	}
}

// Who may come in, and from where.
func TestAdmission(t *testing.T) {
	server := serve(t, newSource())
	cookie := openSession(t, server).String()
	cookie, _, _ = strings.Cut(cookie, ";")
	replay := replayed(t, "podSelector: {}\n  policyTypes: [Egress]")
	for _, test := range []struct {
		name, method, url, body string
		header                  map[string]string
		want                    int
	}{
		{"nothing", "GET", origin + "/api/v1/edges", "", nil, 401},
		{"a wrong token", "GET", origin + "/api/v1/edges", "", map[string]string{"Authorization": "Bearer " + token + "x"}, 401},
		{"an empty token", "GET", origin + "/api/v1/edges", "", map[string]string{"Authorization": "Bearer "}, 401},
		{"the token", "GET", origin + "/api/v1/edges", "", map[string]string{"Authorization": "bearer " + token}, 200},
		{"the token, by any name", "GET", "http://netcinch.example/api/v1/edges", "", map[string]string{"Authorization": "Bearer " + token}, 200},
		{"the cookie", "GET", origin + "/api/v1/edges", "", map[string]string{"Cookie": cookie}, 200},
		{"the cookie, over IPv6", "GET", "http://[::1]:8080/api/v1/edges", "", map[string]string{"Cookie": cookie}, 200},
		{"a wrong cookie", "GET", origin + "/api/v1/edges", "", map[string]string{"Cookie": cookie + "0"}, 401},
		{"the token as a cookie", "GET", origin + "/api/v1/edges", "", map[string]string{"Cookie": "netcinch_session=" + token}, 401},
		{"the cookie by a rebound name", "GET", "http://evil.example:8080/api/v1/edges", "", map[string]string{"Cookie": cookie}, 421},
		{"metrics without a token", "GET", origin + "/metrics", "", nil, 401},
		{"health without a token", "GET", origin + "/healthz", "", nil, 200},
		{"a form of another page", "POST", origin + "/api/v1/replay", replay, map[string]string{"Cookie": cookie, "Content-Type": "application/json"}, 403},
		{"a script of another page", "POST", origin + "/api/v1/replay", replay, map[string]string{"Cookie": cookie, "Content-Type": "application/json", "X-Netcinch": "page", "Origin": "http://evil.example"}, 403},
		{"our page", "POST", origin + "/api/v1/replay", replay, map[string]string{"Cookie": cookie, "Content-Type": "application/json", "X-Netcinch": "page", "Origin": origin}, 200},
		{"a script", "POST", origin + "/api/v1/replay", replay, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}, 200},
		{"text for JSON", "POST", origin + "/api/v1/replay", replay, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "text/plain"}, 415},
		{"a session with a wrong token", "POST", origin + "/api/v1/session", `{"token":"no"}`, map[string]string{"Content-Type": "application/json", "X-Netcinch": "page"}, 401},
		{"a session from another page", "POST", origin + "/api/v1/session", `{"token":"` + token + `"}`, map[string]string{"Content-Type": "application/json"}, 403},
		{"a method that is not there", "PUT", origin + "/api/v1/edges", "", map[string]string{"Authorization": "Bearer " + token}, 405},
		{"a route that is not there", "GET", origin + "/api/v1/nothing", "", map[string]string{"Authorization": "Bearer " + token}, 404},
		{"another version", "GET", origin + "/api/v9/edges", "", map[string]string{"Authorization": "Bearer " + token}, 404},
	} {
		w := send(server, test.method, test.url, test.body, test.header)
		if w.Code != test.want {
			t.Errorf("%s: status %d, want %d: %.200s", test.name, w.Code, test.want, w.Body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: the error is %s, want a problem", test.name, w.Header().Get("Content-Type"))
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: security headers are missing: %v", test.name, w.Header())
		}
	}
}

func TestGuessingTokensIsSlowedDown(t *testing.T) {
	server := serve(t, newSource())
	for range 50 {
		w := send(server, "POST", origin+"/api/v1/session", `{"token":"guess"}`, map[string]string{"Content-Type": "application/json", "X-Netcinch": "page"})
		if w.Code == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("50 guesses in a row were all judged")
}

func TestPage(t *testing.T) {
	server := serve(t, newSource())
	nonces := map[string]bool{}
	for _, path := range []string{"/", "/map", "/recommendations?id=1", "/index.html"} {
		w := send(server, "GET", origin+path, "", nil)
		policy := w.Header().Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(w.Body.String())
		if w.Code != 200 || nonce == nil {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if !strings.Contains(policy, "style-src 'self' 'nonce-"+nonce[1]+"'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q does not go with the nonce %q", path, policy, nonce[1])
		}
		nonces[nonce[1]] = true
	}
	if len(nonces) != 4 {
		t.Errorf("%d different nonces for 4 pages", len(nonces))
	}
	for path, want := range map[string]int{"/assets/a-1.js": 200, "/assets/gone.js": 404, "/.vite/build.json": 404, "/favicon.ico": 404} {
		if w := send(server, "GET", origin+path, "", nil); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if w := send(server, "GET", origin+"/assets/a-1.js", "", nil); !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("assets may be kept for ever; Cache-Control is %q", w.Header().Get("Cache-Control"))
	}
}

func TestETag(t *testing.T) {
	server := serve(t, newSource())
	header := map[string]string{"Authorization": "Bearer " + token}
	first := send(server, "GET", origin+"/api/v1/edges", "", header)
	header["If-None-Match"] = first.Header().Get("ETag")
	if again := send(server, "GET", origin+"/api/v1/edges", "", header); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("with the same ETag: %d and %d bytes, want 304 and none", again.Code, again.Body.Len())
	}
	if other := send(server, "GET", origin+"/api/v1/edges?from=-1h", "", header); other.Code != http.StatusOK {
		t.Errorf("another time with the first's ETag: %d, want 200", other.Code)
	}
}

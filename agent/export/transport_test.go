// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// The token goes over TLS 1.3 alone, and not where a redirect points.
func TestTokenStaysOnItsWay(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	e.Put(windowWith(0, Losses{}))
	old := httptest.NewUnstartedServer(r)
	old.TLS = selfSigned(t)
	old.TLS.MaxVersion = tls.VersionTLS12
	old.StartTLS()
	t.Cleanup(old.Close)
	away := httptest.NewUnstartedServer(http.RedirectHandler(r.URL+wire.Path, http.StatusTemporaryRedirect))
	away.TLS = selfSigned(t)
	away.StartTLS()
	t.Cleanup(away.Close)
	for name, server := range map[string]*httptest.Server{"over TLS 1.2": old, "after a redirect": away} {
		r.writeCA(t, server)
		e.client.url = server.URL + wire.Path
		if done, _ := e.sendOldest(t.Context(), time.Millisecond); done || len(r.tokens) != 0 {
			t.Errorf("%s: sent, with %v", name, r.tokens)
		}
	}
	r.writeCA(t, r.Server)
	e.client.url = r.URL + wire.Path
	if done, _ := e.sendOldest(t.Context(), time.Millisecond); !done || len(r.tokens) != 1 {
		t.Errorf("as it should be: sent %v, %v; %s", done, r.tokens, &log)
	}
}

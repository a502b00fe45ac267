// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// held names the edges held as unseen that are allowed now and that the
// recommendation by itself would cut. It proves nothing false: they do not
// teach until somebody accepts them, but whoever applies it has to know.
func (pr *prover) held(p *Proof) {
	for _, i := range pr.touchingAny(pr.recommendation.Workloads) {
		e := &pr.report.Edges[i]
		if !e.Unseen {
			continue
		}
		cut := false
		pr.asked.of(i, func(n int32, _ int) {
			q := &pr.asked.list[n]
			cut = cut || q.now && !pr.byItself(n) && (pr.beside == nil || permits(pr.beside, q.Connection))
		})
		if cut {
			p.Held = append(p.Held, HeldEdge{
				Edge: e.ID, Client: e.Client, Server: e.Server, Protocol: e.Protocol, Port: e.Port,
				Connections: e.Counters.Connections, First: e.First, Last: e.Last,
			})
		}
	}
	if len(p.Held) > 0 {
		p.state(NamesHeld, true, p.heldText())
	}
}

func (h HeldEdge) text() string {
	port := h.Protocol
	if h.Port != 0 {
		port += fmt.Sprintf(" %d", h.Port)
	}
	return fmt.Sprintf("%s → %s %s, %s", h.Client, h.Server, port, analyze.Plural(h.Connections, "connection"))
}

// heldText says in a sentence what is cut of what is held as unseen.
func (p *Proof) heldText() string {
	texts := make([]string, 0, len(p.Held))
	for _, h := range p.Held {
		texts = append(texts, h.text())
	}
	are, them, they := "are", "them", "they are"
	if len(texts) == 1 {
		are, them, they = "is", "it", "it is"
	}
	return fmt.Sprintf("It cuts %s that %s held as unseen: %s; accept %s first if %s wanted.",
		analyze.Plural(len(texts), "edge"), are, strings.Join(texts, "; "), them, they)
}

// showHeld says in the evidence and on top of the manifest what is cut of what
// is held as unseen.
func (r *Recommendation) showHeld() {
	if len(r.Proof.Held) == 0 || r.Withheld != "" {
		return
	}
	text := r.Proof.heldText()
	r.Evidence = append(slices.Clone(r.Evidence), text)
	comment := "# " + text + "\n"
	if strings.Contains(r.After, comment) {
		return
	}
	r.After = underHeader(r.After, comment)
	if r.Kind == KindTighten {
		r.Diff = Unified(diffName(r.File, r.Policy.Cluster()), r.Before, r.After, r.Line)
	}
}

// underHeader puts a comment below the lines that come before the first field
// of a document.
func underHeader(document, comment string) string {
	at := 0
	for line := range strings.Lines(document) {
		text := strings.TrimSpace(line)
		if text != "" && !strings.HasPrefix(text, "#") && text != "---" {
			break
		}
		at += len(line)
	}
	return document[:at] + comment + document[at:]
}

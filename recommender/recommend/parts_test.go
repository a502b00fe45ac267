// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
)

// TestSelection: labels that select a workload's pods and nobody else, now and
// after the next rollout.
func TestSelection(t *testing.T) {
	type own struct {
		name     string
		selector map[string]string
		template map[string]string
		pods     []map[string]string
	}
	l := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	hash := "pod-template-hash"
	for _, c := range []struct {
		name   string
		all    []own
		want   string
		caught int
	}{
		{"its own selector", []own{{"w", l("app", "w"), l("app", "w"), []map[string]string{l("app", "w", hash, "6d4f")}}, {"v", l("app", "v"), l("app", "v"), nil}}, "map[app:w]", 0},
		{"a selector that is not exact", []own{{"w", l("app", "w"), l("app", "w", "part", "a"), nil}, {"v", l("app", "w", "part", "b"), l("app", "w", "part", "b"), nil}}, "map[part:a]", 0},
		{"two labels are needed", []own{{"w", nil, l("app", "w", "part", "a"), nil}, {"v", nil, l("app", "w", "part", "b"), nil}, {"u", nil, l("app", "u", "part", "a"), nil}}, "map[app:w part:a]", 0},
		{"never a hash", []own{{"w", l(hash, "6d4f"), l("app", "w"), []map[string]string{l("app", "w", hash, "6d4f")}}}, "map[app:w]", 0},
		{"never a value like one", []own{{"w", nil, l("a", "7d9f8b6c54", "zone", "eu"), []map[string]string{l("a", "7d9f8b6c54", "zone", "eu")}}}, "map[zone:eu]", 0},
		{"never a chart or version", []own{{"w", nil, l("helm.sh/chart", "w-1.2", "app.kubernetes.io/version", "1", "role", "r"), nil}}, "map[role:r]", 0},
		{"a pod lacks the label of the template", []own{{"w", nil, l("app", "w", "new", "yes"), []map[string]string{l("app", "w")}}}, "map[app:w]", 0},
		{"nothing tells them apart", []own{{"w", nil, l("app", "w"), nil}, {"v", nil, l("app", "w"), nil}}, "map[app:w]", 1},
		{"no stable label", []own{{"w", nil, l(hash, "1"), nil}}, "map[]", 0},
	} {
		s := &cluster.Snapshot{}
		for _, o := range c.all {
			id := flow.Workload{Namespace: "n", Kind: "Deployment", Name: o.name}
			s.Workloads = append(s.Workloads, cluster.Workload{Workload: id, Selector: o.selector, TemplateLabels: o.template})
			if o.pods == nil {
				o.pods = []map[string]string{o.template}
			}
			for i, labels := range o.pods {
				s.Pods = append(s.Pods, cluster.Pod{Namespace: "n", Name: fmt.Sprint(o.name, i), Labels: labels, Workload: id})
			}
		}
		w := newWorld(Input{Snapshot: s, Report: &analyze.Report{}})
		got := w.selection(flow.Workload{Namespace: "n", Kind: "Deployment", Name: "w"})
		if fmt.Sprint(got.labels) != c.want || len(got.caught) != c.caught {
			t.Errorf("%s: got %v, catching %v; want %s, catching %d", c.name, got.labels, got.caught, c.want, c.caught)
		}
	}
}

// TestCoverIsExact: each pair is in exactly one product, nothing else is in any.
func TestCoverIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		n := needs{}
		for range 1 + r.IntN(20) {
			n.add(fmt.Sprint("p", r.IntN(6)), fmt.Sprint("q", r.IntN(5)))
		}
		count := map[[2]string]int{}
		groups := n.cover()
		for _, g := range groups {
			for _, p := range g.peers {
				for _, q := range g.ports {
					count[[2]string{p, q}]++
				}
			}
		}
		total := 0
		for p, ports := range n {
			for q := range ports {
				total++
				if count[[2]string{p, q}] != 1 {
					t.Fatalf("%v: %s %s is there %d times in %v", n, p, q, count[[2]string{p, q}], groups)
				}
			}
		}
		if total != len(count) || len(groups) > len(n) {
			t.Fatalf("%v: %v allows more than is needed, or takes more rules than peers", n, groups)
		}
	}
	few := needs{}
	for _, p := range []string{"a", "b", "c"} {
		few.add(p, "80")
		few.add(p, "443")
	}
	few.add("c", "9090")
	if got := few.cover(); len(got) != 2 {
		t.Errorf("got %v, want two rules", got)
	}
}

func TestRunsMergeContiguousPortsOnly(t *testing.T) {
	tcp := func(ports ...uint16) []portKey {
		var out []portKey
		for _, p := range ports {
			out = append(out, portKey{flow.TCP, p})
		}
		return out
	}
	for _, c := range []struct {
		ports []portKey
		want  string
	}{
		{tcp(80), "80"},
		{tcp(81, 80), "80 81"},
		{tcp(82, 80, 81, 90), "80-82 90"},
		{tcp(65534, 65535, 65533, 1), "1 65533-65535"},
		{append(tcp(80, 81), portKey{flow.UDP, 82}), "80 81 82"},
	} {
		var got []string
		for _, r := range runs(c.ports) {
			if r.last != r.port {
				got = append(got, fmt.Sprintf("%d-%d", r.port, r.last))
			} else {
				got = append(got, fmt.Sprint(r.port))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("got %v, want %s", got, c.want)
		}
	}
}

// TestUnifiedApplies: patch(1) and git take the diff and make of the old text
// the new one.
func TestUnifiedApplies(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed: the diff can't be applied")
	}
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 40 {
		before, after := randomText(r), randomText(r)
		if i%3 == 0 {
			after = strings.Replace(before, "b\n", "x\ny\n", 2)
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "p.yaml")
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		diff := Unified("p.yaml", before, after, 1)
		if (diff == "") != (before == after) {
			t.Fatalf("%q → %q gives the diff %q", before, after, diff)
		}
		if diff == "" {
			continue
		}
		cmd := exec.Command(git, "apply", "--unidiff-zero", "-")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(diff)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%q → %q\n%s", err, out, before, after, diff)
		}
		if got, _ := os.ReadFile(file); string(got) != after {
			t.Fatalf("got %q, want %q\n%s", got, after, diff)
		}
	}
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(30) {
		b.WriteString(string(rune('a'+r.IntN(4))) + "\n")
	}
	text := b.String()
	if r.IntN(4) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// TestProofSeesWhatIsWrong spoils a good manifest.
func TestProofSeesWhatIsWrong(t *testing.T) {
	w := newRandomWorld(t, 4)
	report := w.analyse(t, w.snapshot)
	list, err := Build(Input{Snapshot: w.snapshot, Report: report})
	if err != nil {
		t.Fatal(err)
	}
	var r Recommendation
	for _, one := range list {
		if one.Withheld == "" && len(one.Proof.Closed) > 0 && one.Proof.ObservedEdges > 0 && one.Kind == KindNew {
			r = one
		}
	}
	if r.ID == "" {
		t.Fatal("the world offers nothing to spoil")
	}
	world := newWorld(Input{Snapshot: w.snapshot, Report: report})
	for _, c := range []struct {
		name  string
		spoil func(string) string
		want  StatementName
	}{
		{"nothing", func(s string) string { return s }, ""},
		{"no rules", func(s string) string {
			head, _, _ := strings.Cut(s, "  policyTypes")
			return head + "  policyTypes: [Ingress, Egress]\n"
		}, KeepsObserved},
	} {
		spoilt := r
		o, err := decode(r.Policy.Cluster(), []byte(c.spoil(r.After)))
		if err != nil {
			t.Fatal(err)
		}
		world.proveOne(&spoilt, o)
		var failing []StatementName
		for _, s := range spoilt.Proof.Statements {
			if !s.Holds {
				failing = append(failing, s.Name)
			}
		}
		if c.want == "" && len(failing) > 0 || c.want != "" && (spoilt.Proof.Holds || !slices.Contains(failing, c.want)) {
			t.Errorf("%s: failing %v, want %q", c.name, failing, c.want)
		}
	}
}

// TestProofSeesWhatOpens: a rule for everybody where two ports were allowed.
func TestProofSeesWhatOpens(t *testing.T) {
	const closed = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ns}\nspec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}, {port: 81}]}]}\n"
	for _, ip := range []string{"10.0.0.1", "fd00::1"} {
		s := manifest.LoadText("p.yaml", []byte(closed+"---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ns, labels: {app: a}}\nspec: {containers: [{name: c, image: i}]}\nstatus: {podIP: '"+ip+"'}\n"), manifest.Options{})
		w := newWorld(Input{Snapshot: s, Report: &analyze.Report{}})
		for rules, opens := range map[string]bool{"[{ports: [{port: 80}]}]": false, "[{ports: [{port: 80}, {port: 82}]}]": true, "[{}]": true, "[]": false} {
			r := Recommendation{Policy: analyze.RefOf(s.Policies[0].Ref), Workloads: []string{"ns/a"}}
			o, err := decode(s.Policies[0].Ref, []byte(strings.Replace(closed, "[{ports: [{port: 80}, {port: 81}]}]", rules, 1)))
			if err != nil {
				t.Fatal(err)
			}
			w.proveOne(&r, o)
			if r.Proof.Holds == opens || (len(r.Proof.Opened) > 0) != opens {
				t.Errorf("%s %s: holds %v, opened %v", ip, rules, r.Proof.Holds, r.Proof.Opened)
			}
		}
	}
}

// proveOne proves a recommendation as if no other were there.
func (w *world) proveOne(r *Recommendation, o cluster.Object) {
	g := &gathering{offered: []*Recommendation{r}, objects: map[cluster.Ref]cluster.Object{o.Ref: o}}
	w.apply(g)
	g.asked = w.ask(g)
	w.prove(g, r)
}

func TestDecodeRefuses(t *testing.T) {
	ref := cluster.Ref{APIVersion: networkPolicyVersion, Kind: "NetworkPolicy", Namespace: "ns", Name: "p"}
	good := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ns}\nspec: {podSelector: {}}\n"
	if _, err := decode(ref, []byte(good)); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"unknown field": good + "stuff: 1\n", "another name": strings.Replace(good, "name: p", "name: q", 1), "wrong type": strings.Replace(good, "podSelector: {}", "podSelector: 3", 1),
	} {
		if _, err := decode(ref, []byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

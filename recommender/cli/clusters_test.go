// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/app"
)

func TestSetClusters(t *testing.T) {
	dir := t.TempDir()
	kube, pods, empty := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "pods.yaml"), filepath.Join(dir, "empty")
	for path, text := range map[string]string{
		kube: "apiVersion: v1\nkind: Config\nclusters: [{name: c}]\n", pods: "kind: Pod\n---\nkind: Pod\n", empty: "kind: Config\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := func(name string, paths ...string) app.Cluster { return app.Cluster{Name: name, Manifests: paths} }
	for _, c := range []struct {
		name   string
		before app.Options
		values []string
		want   app.Options
		wrong  string
	}{
		{"none", app.Options{}, nil, app.Options{}, ""},
		{"a name", app.Options{Manifests: []string{dir}}, []string{"prod"}, app.Options{Cluster: "prod", Manifests: []string{dir}}, ""},
		{
			"two with paths",
			app.Options{},
			[]string{"prod=" + kube, "test=" + dir},
			app.Options{Cluster: "prod", Kubeconfig: kube, More: []app.Cluster{files("test", dir)}},
			"",
		},
		{
			"-f and one with a path",
			app.Options{Manifests: []string{"x"}},
			[]string{"test=" + pods},
			app.Options{Manifests: []string{"x"}, More: []app.Cluster{files("test", pods)}},
			"",
		},
		{
			"in a cluster, with another",
			app.Options{},
			[]string{"test=" + pods, "own"},
			app.Options{Cluster: "own", More: []app.Cluster{files("test", pods)}},
			"",
		},
		{"two names", app.Options{}, []string{"a", "b"}, app.Options{}, "only one can be that of -f"},
		{"no name", app.Options{}, []string{"=" + pods}, app.Options{}, "want NAME, or NAME=PATH"},
		{"no path", app.Options{}, []string{"a="}, app.Options{}, "want NAME, or NAME=PATH"},
		{"a path that is not there", app.Options{}, []string{"a=" + dir + "/gone"}, app.Options{}, "no such file"},
		{"an empty kubeconfig", app.Options{}, []string{"a=" + empty}, app.Options{}, "without clusters"},
	} {
		got := c.before
		err := setClusters(&got, c.values)
		switch {
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, want …%s…", c.name, err, c.wrong)
		case c.wrong == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

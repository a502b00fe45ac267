// SPDX-License-Identifier: Apache-2.0

// Command render writes the chart's manifests, as helm template would, so that
// nobody needs helm to look at them. It is a module of its own: helm's template
// engine brings more than the rest of the repository together.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(2)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	chart := flags.String("chart", "..", "folder of the chart")
	values := flags.String("values", "", "file with values")
	namespace := flags.String("namespace", "netcinch", "namespace of the release")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text := []byte(nil)
	if *values != "" {
		var err error
		if text, err = os.ReadFile(*values); err != nil {
			return err
		}
	}
	rendered, err := render(*chart, *namespace, text)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, rendered)
	return err
}

// render gives the manifests, templates in the order of their names.
func render(dir, namespace string, values []byte) (string, error) {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return "", fmt.Errorf("reading the chart in %s: %w", dir, err)
	}
	given := map[string]any{}
	if err := yaml.UnmarshalStrict(values, &given); err != nil {
		return "", fmt.Errorf("reading the values: %w", err)
	}
	release := common.ReleaseOptions{Name: "netcinch", Namespace: namespace, IsInstall: true, Revision: 1}
	all, err := util.ToRenderValues(chart, given, release, common.DefaultCapabilities)
	if err != nil {
		return "", fmt.Errorf("holding the values against values.schema.json: %w", err)
	}
	files, err := engine.Engine{Strict: false}.Render(chart, all)
	if err != nil {
		return "", err
	}
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(files[name]) != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", errors.New("the chart renders to nothing")
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "---\n# %s\n%s\n", name, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(files[name]), "---")))
	}
	return out.String(), nil
}

// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// manifests is what of a folder the world is built from. Policies are not in
// it: the recommender reads them from the same folder.
type manifests struct {
	nodes    []corev1.Node
	services []corev1.Service
	owners   []owner
	jobs     []batchv1.CronJob
}

// owner is one Deployment, StatefulSet or DaemonSet.
type owner struct {
	kind     string
	meta     metav1.ObjectMeta
	replicas int
	template corev1.PodTemplateSpec
}

// read takes every *.yaml of the folder.
func read(folder string) (manifests, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return manifests{}, fmt.Errorf("listing manifests: %w", err)
	}
	if len(files) == 0 {
		return manifests{}, fmt.Errorf("no *.yaml in %s: name the demo's manifest folder with --manifests", folder)
	}
	var m manifests
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return manifests{}, fmt.Errorf("reading manifest: %w", err)
		}
		if err := m.add(data); err != nil {
			return manifests{}, fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return m, nil
}

// add takes each document of one file; kinds that nothing is built from pass.
func (m *manifests) add(data []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("splitting documents: %w", err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
		if err := m.addDocument(kind.Kind, document); err != nil {
			return fmt.Errorf("document %d (%s): %w", number, kind.Kind, err)
		}
	}
}

func (m *manifests) addDocument(kind string, document []byte) error {
	switch kind {
	case "Node":
		return appendTo(&m.nodes, document)
	case "Service":
		return appendTo(&m.services, document)
	case "CronJob":
		return appendTo(&m.jobs, document)
	case "Deployment":
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict(document, &d); err != nil {
			return err
		}
		m.addOwner(kind, d.ObjectMeta, d.Spec.Replicas, d.Spec.Template)
	case "StatefulSet":
		var s appsv1.StatefulSet
		if err := yaml.UnmarshalStrict(document, &s); err != nil {
			return err
		}
		m.addOwner(kind, s.ObjectMeta, s.Spec.Replicas, s.Spec.Template)
	case "DaemonSet":
		var d appsv1.DaemonSet
		if err := yaml.UnmarshalStrict(document, &d); err != nil {
			return err
		}
		m.addOwner(kind, d.ObjectMeta, nil, d.Spec.Template)
	}
	return nil
}

func appendTo[T any](list *[]T, document []byte) error {
	var object T
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return err
	}
	*list = append(*list, object)
	return nil
}

func (m *manifests) addOwner(kind string, meta metav1.ObjectMeta, replicas *int32, template corev1.PodTemplateSpec) {
	count := 1
	if replicas != nil {
		count = int(*replicas)
	}
	m.owners = append(m.owners, owner{kind: kind, meta: meta, replicas: count, template: template})
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func versionOf(info fs.FileInfo) fileVersion {
	v := fileVersion{modified: info.ModTime(), size: info.Size()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = s.Ino
	}
	return v
}

// readPods gives the pods of one file: all of them or, with an error that names
// file and document, none.
func readPods(path string) ([]Pod, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxPodFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPodFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxPodFile)
	}
	pods, err := parsePods(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pods, nil
}

// parsePods reads documents of kind Pod, PodList or List; other kinds are
// passed over.
func parsePods(text []byte) ([]Pod, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var pods []Pod
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return pods, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		object, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if pods, err = appendPods(pods, object); err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
	}
}

type list struct {
	metav1.TypeMeta `json:",inline"`
	Items           []json.RawMessage `json:"items"`
}

func appendPods(pods []Pod, object []byte) ([]Pod, error) {
	if string(object) == "null" {
		return pods, nil // nothing but comments
	}
	var l list
	if err := json.Unmarshal(object, &l.TypeMeta); err != nil {
		return nil, errors.New("not a Kubernetes object: want fields such as apiVersion and kind; correct it or take it out")
	}
	switch {
	case l.Kind == "" || l.APIVersion == "":
		return nil, errors.New("not a Kubernetes object: kind or apiVersion is missing")
	case l.APIVersion == "v1" && l.Kind == "Pod":
		return appendPod(pods, object)
	case l.APIVersion == "v1" && (l.Kind == "List" || l.Kind == "PodList"):
		if err := json.Unmarshal(object, &l); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Kind, plainly(err))
		}
	default:
		return pods, nil
	}
	for i, item := range l.Items {
		var err error
		// The items of a PodList may leave out what they are.
		if l.Kind == "PodList" {
			pods, err = appendPod(pods, item)
		} else {
			pods, err = appendPods(pods, item)
		}
		if err != nil {
			return nil, fmt.Errorf("items[%d]: %w", i, err)
		}
	}
	return pods, nil
}

func appendPod(pods []Pod, object []byte) ([]Pod, error) {
	var p corev1.Pod
	if err := json.Unmarshal(object, &p); err != nil {
		return nil, fmt.Errorf("pod: %w", plainly(err))
	}
	pod, err := podOf(&p)
	if err != nil {
		return nil, err
	}
	return append(pods, pod), nil
}

// plainly says where an object has another form than is wanted, without the
// names of Go types.
func plainly(err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: %s does not belong here; correct it", cmp.Or(kind.Field, "the object"), kind.Value)
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/deploy/demo/plan"
)

// PodsFolder is where Pod objects are written, one JSON file each, under the
// state folder.
const PodsFolder = "pods"

func (w *World) podPath(pod *plan.Pod) string {
	return filepath.Join(w.options.State, PodsFolder, pod.Object.Namespace+"."+pod.Object.Name+".json")
}

// publish writes the pod's object in the given phase. A reader sees the old
// file or the new one, whole.
func (w *World) publish(pod *plan.Pod, phase corev1.PodPhase) error {
	now := metav1.NewTime(w.options.Now().UTC().Truncate(1e9))
	object := pod.Object
	if object.CreationTimestamp.IsZero() {
		object.CreationTimestamp = now
		object.Status.StartTime = &now
	}
	running := phase == corev1.PodRunning
	ready := corev1.ConditionFalse
	if running {
		ready = corev1.ConditionTrue
	}
	object.Status.Phase = phase
	object.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: now}}
	status := corev1.ContainerStatus{Name: pod.Container, Ready: running, Image: object.Spec.Containers[0].Image}
	if running {
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: now}
	} else {
		status.State.Terminated = &corev1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: *object.Status.StartTime, FinishedAt: now,
		}
	}
	object.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	data, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding pod %s: %w", pod.Key(), err)
	}
	return w.replace(w.podPath(pod), data)
}

// withdraw removes the pod's object, as the API server does with the pod.
func (w *World) withdraw(pod *plan.Pod) error {
	if err := os.Remove(w.podPath(pod)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing pod %s: %w", pod.Key(), err)
	}
	return nil
}

// replace writes beside the folder that others read, and moves into place.
func (w *World) replace(path string, data []byte) error {
	temporary, err := os.CreateTemp(w.options.State, "writing-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // the first error is the one to tell
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

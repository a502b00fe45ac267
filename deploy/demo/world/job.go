// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/deploy/demo/plan"
	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// runJob starts a pod of the job in its rhythm until the context ends. As
// with successfulJobsHistoryLimit 1, a finished pod's object stays until the
// next pod has finished.
func (w *World) runJob(ctx context.Context, job *plan.Job) error {
	tick := time.NewTicker(job.Every)
	defer tick.Stop()
	var last *plan.Pod
	for {
		pod, err := w.runOnce(ctx, job)
		if err != nil {
			return fmt.Errorf("running CronJob %s/%s: %w", job.Namespace, job.Name, err)
		}
		if last != nil {
			if err := w.withdraw(last); err != nil {
				return err
			}
		}
		last = pod
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// runOnce is the whole life of one pod: namespace, object, process, end.
func (w *World) runOnce(ctx context.Context, job *plan.Job) (*plan.Pod, error) {
	pod, home, err := w.buildJobPod(job)
	if err != nil {
		return nil, err
	}
	if err = w.publish(pod, corev1.PodRunning); err != nil {
		return nil, err
	}
	p, err := w.start(home, pod.Key(), pod.Container, pod.Args)
	if err != nil {
		return nil, err
	}
	p.say(workload.Begin)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.stop()
	}
	if p.err != nil && ctx.Err() == nil {
		return nil, p.ended()
	}
	_ = p.stdin.Close() // the process has ended
	w.building.Lock()
	defer w.building.Unlock()
	if err := w.remove(home); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.jobRuns++
	w.mu.Unlock()
	return pod, w.publish(pod, corev1.PodSucceeded)
}

func (w *World) buildJobPod(job *plan.Job) (*plan.Pod, *place, error) {
	w.building.Lock()
	defer w.building.Unlock()
	pod, err := job.Pod(w.options.Now())
	if err != nil {
		return nil, nil, err
	}
	home, err := w.buildPod(pod)
	return pod, home, err
}

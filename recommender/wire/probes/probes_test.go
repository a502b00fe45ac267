// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestPorts(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		want []uint16
	}{
		"none":               {`containers: [{name: c, ports: [{containerPort: 80}]}]`, nil},
		"HTTP, by number":    {`containers: [{name: c, livenessProbe: {httpGet: {port: 80, path: /}}}]`, []uint16{80}},
		"HTTP, by name":      {`containers: [{name: c, ports: [{name: a, containerPort: 81}, {name: b, containerPort: 82}], readinessProbe: {httpGet: {port: b}}}]`, []uint16{82}},
		"a name of another":  {`containers: [{name: c, readinessProbe: {httpGet: {port: a}}}, {name: d, ports: [{name: a, containerPort: 81}]}]`, nil},
		"a number as text":   {`containers: [{name: c, readinessProbe: {httpGet: {port: "80"}}}]`, nil},
		"TCP":                {`containers: [{name: c, startupProbe: {tcpSocket: {port: 5432}}}]`, []uint16{5432}},
		"gRPC":               {`containers: [{name: c, startupProbe: {grpc: {port: 9090, service: s}}}]`, []uint16{9090}},
		"a command":          {`containers: [{name: c, startupProbe: {exec: {command: [x]}}}]`, nil},
		"another host":       {`containers: [{name: c, livenessProbe: {httpGet: {port: 80, host: h}}, startupProbe: {tcpSocket: {port: 81, host: h}}}]`, nil},
		"out of range":       {`containers: [{name: c, livenessProbe: {httpGet: {port: 65536}}, startupProbe: {tcpSocket: {port: -1}}}]`, nil},
		"hooks":              {`containers: [{name: c, lifecycle: {postStart: {httpGet: {port: 1}}, preStop: {tcpSocket: {port: 2}}}}]`, []uint16{1, 2}},
		"a sidecar":          {`initContainers: [{name: i, restartPolicy: Always, startupProbe: {tcpSocket: {port: 15021}}}]`, []uint16{15021}},
		"several, each once": {`containers: [{name: c, livenessProbe: {grpc: {port: 9}}, readinessProbe: {tcpSocket: {port: 9}}}, {name: d, livenessProbe: {grpc: {port: 8}}}]`, []uint16{8, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			var spec, kept corev1.PodSpec
			if err := yaml.UnmarshalStrict([]byte(c.spec), &spec); err != nil {
				t.Fatal(err)
			}
			if got := Ports(&spec); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			for _, list := range []struct{ from, to *[]corev1.Container }{{&spec.Containers, &kept.Containers}, {&spec.InitContainers, &kept.InitContainers}} {
				for i := range *list.from {
					small := corev1.Container{Ports: (*list.from)[i].Ports}
					Keep(&small, &(*list.from)[i])
					*list.to = append(*list.to, small)
				}
			}
			if got := Ports(&kept); !slices.Equal(got, c.want) {
				t.Errorf("of what is kept: %v, want %v", got, c.want)
			}
		})
	}
}

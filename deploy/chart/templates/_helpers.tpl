{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- define "netcinch.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: netcinch
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- define "netcinch.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- /* Cluster-wide objects carry the namespace, so that two releases can stand side by side. */ -}}
{{- define "netcinch.wide" -}}
{{ .root.Release.Namespace }}-{{ .name }}
{{- end -}}

{{- define "netcinch.image" -}}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- $sep := hasPrefix "sha256:" $tag | ternary "@" ":" -}}
{{ .root.Values.image.registry }}/{{ .name }}{{ $sep }}{{ $tag }}
{{- end -}}

{{- define "netcinch.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "netcinch.tlsSecret" -}}
{{- if eq .Values.tls.mode "secret" -}}
{{ required "tls.mode is secret: name it in tls.secret" .Values.tls.secret }}
{{- else -}}
netcinch-tls
{{- end -}}
{{- end -}}

{{- /* Agents get the CA alone: on their nodes nobody needs the key. */ -}}
{{- define "netcinch.caSecret" -}}
{{- if eq .Values.tls.mode "chart" -}}netcinch-ca{{- else -}}{{ include "netcinch.tlsSecret" . }}{{- end -}}
{{- end -}}

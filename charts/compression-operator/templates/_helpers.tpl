{{- define "operator.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "operator.name" .) }}
{{- end }}

{{/* The operator's user name, as the API server sees it. */}}
{{- define "operator.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "operator.serviceAccount" . }}
{{- end }}

{{/* Images that the operator's Jobs may use, as a CEL list of prefixes. */}}
{{- define "operator.imagePrefixes" -}}
{{- $prefixes := list }}
{{- $images := .Values.images }}
{{- range $image := compact (list $images.runner $images.evaluator $images.evaluatorOpenvino $images.tools) }}
{{- $prefixes = append $prefixes (printf "%s@" (first (splitList "@" $image))) }}
{{- end }}
{{- include "operator.celList" (concat $prefixes .Values.admission.extraImagePrefixes | uniq) }}
{{- end }}

{{- define "operator.celList" -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}'{{ $item }}'{{ end }}]
{{- end }}

{{/* Who writes the operator's Jobs and pods: itself and the controllers that work on them. */}}
{{- define "operator.writers" -}}
{{- $writers := list (include "operator.user" .) "system:kube-controller-manager" }}
{{- range $name := list "job-controller" "generic-garbage-collector" "namespace-controller" "ttl-after-finished-controller" }}
{{- $writers = append $writers (printf "system:serviceaccount:kube-system:%s" $name) }}
{{- end }}
{{- include "operator.celList" (concat $writers .Values.admission.extraWriters) }}
{{- end }}

{{/* Who reports on pods, beside their node: the scheduler and the controllers that mark disruption. */}}
{{- define "operator.reporters" -}}
{{- $reporters := list "system:kube-scheduler" "system:kube-controller-manager" }}
{{- range $name := list "job-controller" "node-controller" "pod-garbage-collector" "disruption-controller" }}
{{- $reporters = append $reporters (printf "system:serviceaccount:kube-system:%s" $name) }}
{{- end }}
{{- include "operator.celList" $reporters }}
{{- end }}

{{/* Head of a policy and its binding: dict root, name. */}}
{{- define "operator.policyName" -}}
{{ .name }}.{{ include "operator.name" .root }}.compression.modelops.dev
{{- end }}

{{- define "operator.policyMetadata" -}}
name: {{ include "operator.policyName" . }}
labels:
  {{- include "operator.labels" .root | nindent 2 }}
  compression.modelops.dev/policy: {{ .name }}
{{- end }}

{{- define "operator.policyBinding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  {{- include "operator.policyMetadata" . | nindent 2 }}
spec:
  policyName: {{ include "operator.policyName" . }}
  validationActions: [Deny]
{{- end }}

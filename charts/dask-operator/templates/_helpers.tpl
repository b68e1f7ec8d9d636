{{- define "dask-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dask-operator.fullname" -}}
{{- $name := include "dask-operator.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dask-operator.selector" -}}
app.kubernetes.io/name: {{ include "dask-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dask-operator.labels" -}}
{{ include "dask-operator.selector" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "dask-operator.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "dask-operator.fullname" .) "default") .Values.serviceAccount.name }}
{{- end }}

{{- define "dask-operator.image" -}}
{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Namespaces that are looked after, with commas between them; empty for all. */}}
{{- define "dask-operator.namespaces" -}}
{{- if .Values.watchNamespaces }}
{{- join "," .Values.watchNamespaces }}
{{- else if not .Values.rbac.cluster }}
{{- .Release.Namespace }}
{{- end }}
{{- end }}

{{/* Values of the chart dask-kubernetes-operator that mean nothing here are refused with what to write instead. */}}
{{- define "dask-operator.refuse" -}}
{{- range .Values.kopfArgs }}
{{- if ne . "--all-namespaces" }}
{{- fail (printf "kopfArgs: this operator does not run on kopf, and has no %q. Write namespaces into watchNamespaces, and settings (see `dask-operator run --help`) into extraEnv." .) }}
{{- end }}
{{- end }}
{{- range $key, $value := .Values.workerAllocation }}
{{- if not (kindIs "invalid" $value) }}
{{- fail (printf "workerAllocation.%s: workers are made in batches by themselves. Remove workerAllocation from the values." $key) }}
{{- end }}
{{- end }}
{{- if hasSuffix "/dask-kubernetes-operator" .Values.image.name }}
{{- fail (printf "image.name: %s is the image of dask-kubernetes. Remove image.name and image.tag from the values." .Values.image.name) }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "DASK_KUBERNETES__" .name }}
{{- fail (printf "extraEnv: %s configures dask-kubernetes. The variables of this operator begin with DASK_OPERATOR_: see `dask-operator run --help`." .name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* First part of the names of objects; leaves room for what follows it. */}}
{{- define "jouled.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" -}}
{{- else if contains "jouled" .Release.Name -}}
{{- .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-jouled" .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes of a pod's labels. Takes a list: the context, "node" or "hub". */}}
{{- define "jouled.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: jouled
app.kubernetes.io/instance: {{ $.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. Takes a list: the context, its component. */}}
{{- define "jouled.labels" -}}
{{- $ := index . 0 -}}
{{ include "jouled.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "jouled.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of a service account. Takes a list: the context, "node" or "hub". */}}
{{- define "jouled.serviceAccount" -}}
{{- $ := index . 0 -}}
{{- $account := (index $.Values (index . 1)).serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "jouled.fullname" $) (index . 1)) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Name of the ConfigMap with the settings. Takes a list: the context, "node" or "hub". */}}
{{- define "jouled.configMap" -}}
{{- $ := index . 0 -}}
{{- (index $.Values (index . 1)).existingConfigMap
    | default (printf "%s-%s" (include "jouled.fullname" $) (index . 1)) -}}
{{- end -}}

{{/* Whether a token of the API server is of any use to the daemons. */}}
{{- define "jouled.asksApi" -}}
{{- if or .Values.rbac.pods .Values.rbac.resourceSlices }}true{{ else }}false{{ end -}}
{{- end -}}

{{/*
Whether to say who tells names: a token for claims alone would be tried on pods, and
refused.
*/}}
{{- define "jouled.namesByLogs" -}}
{{- $kubernetes := .Values.node.config.kubernetes | default dict -}}
{{- if and .Values.rbac.resourceSlices (not .Values.rbac.pods)
    (not (or $kubernetes.names .Values.node.existingConfigMap)) -}}
true
{{- end -}}
{{- end -}}

{{/*
Probes of a container. Takes the section "node" or "hub". Passwords protect every path,
health included, and the kubelet has none; then it can only tell whether somebody listens.
*/}}
{{- define "jouled.probes" -}}
startupProbe:
  {{- include "jouled.probe" (list .web "/healthz") | nindent 2 }}
  periodSeconds: 3
  failureThreshold: 40
  timeoutSeconds: 5
livenessProbe:
  {{- include "jouled.probe" (list .web "/healthz") | nindent 2 }}
  periodSeconds: 30
  failureThreshold: 4
  timeoutSeconds: 5
readinessProbe:
  {{- include "jouled.probe" (list .web "/readyz") | nindent 2 }}
  periodSeconds: 10
  failureThreshold: 3
  timeoutSeconds: 5
{{- end -}}

{{- define "jouled.probe" -}}
{{- $web := index . 0 -}}
{{- if and $web.secretName $web.authentication -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ index . 1 }}
  port: http
  scheme: {{ include "jouled.scheme" $web | upper }}
{{- end -}}
{{- end -}}

{{/* "http" or "https". Takes the section "web". */}}
{{- define "jouled.scheme" -}}
{{- if and .secretName .tls }}https{{ else }}http{{ end -}}
{{- end -}}

{{/* Mounts of secrets. Takes the section "node" or "hub". */}}
{{- define "jouled.secretMounts" -}}
{{- if .web.secretName }}
- name: web
  mountPath: /etc/jouled-web
  readOnly: true
{{- end }}
{{- range .secretMounts }}
- name: {{ printf "secret-%s" .name }}
  mountPath: {{ printf "/etc/jouled-secrets/%s" .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Volumes of secrets, closed to others. Takes the section "node" or "hub". */}}
{{- define "jouled.secretVolumes" -}}
{{- if .web.secretName }}
- name: web
  secret:
    secretName: {{ .web.secretName }}
    defaultMode: 0440
{{- end }}
{{- range .secretMounts }}
- name: {{ printf "secret-%s" .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/*
"recursiveReadOnly", where the cluster knows it. Without it what is mounted below a
read-only mount stays writable.
*/}}
{{- define "jouled.readOnly" -}}
readOnly: true
{{- if semverCompare ">=1.31-0" .Capabilities.KubeVersion.Version }}
recursiveReadOnly: IfPossible
{{- end }}
{{- end -}}

{{- define "jouled.dnsPorts" -}}
- port: 53
  protocol: UDP
- port: 53
  protocol: TCP
{{- end -}}

{{- define "jouled.hubUrl" -}}
{{- printf "%s://%s-hub.%s:%v" (include "jouled.scheme" .Values.hub.web)
    (include "jouled.fullname" .) .Release.Namespace .Values.hub.service.port -}}
{{- end -}}

{{/*
The hub that the daemons are to ask; empty: none, or the settings name one. A daemon
that has a hub and no grid zone to ask for refuses to start.
*/}}
{{- define "jouled.hubForNodes" -}}
{{- $carbon := .Values.node.config.carbon | default dict -}}
{{- $said := or $carbon.hub_url $carbon.intensity $carbon.file $carbon.direct -}}
{{- if and .Values.hub.enabled $carbon.zone (not $said)
    (not .Values.node.existingConfigMap) -}}
{{- include "jouled.hubUrl" . -}}
{{- end -}}
{{- end -}}

{{/* Name of all objects. Services take neither dots nor a digit in front. */}}
{{- define "besom.name" -}}
{{- $name := default .Release.Name .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]" $name) }}
{{- fail (printf "names of Services begin with a letter, and %s does not: set fullnameOverride" $name) }}
{{- end }}
{{- $name -}}
{{- end -}}

{{- define "besom.labels" -}}
app.kubernetes.io/name: besom
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* (dict "root" $ "component" "controller") */}}
{{- define "besom.selector" -}}
app.kubernetes.io/name: besom
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "besom.image" -}}
{{- $digest := get .root.Values.image.digests .component -}}
{{ .root.Values.image.prefix }}/{{ .component }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ default .root.Chart.AppVersion .root.Values.image.tag }}{{ end }}
{{- end -}}

{{/* Name of the ServiceAccount; none: the namespace's. */}}
{{- define "besom.account" -}}
{{- default (.Values.serviceAccount.create | ternary (include "besom.name" .) "") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "besom.authSecret" -}}
{{ default (printf "%s-auth" (include "besom.name" .)) .Values.auth.existingSecret }}
{{- end -}}

{{- define "besom.tlsSecret" -}}
{{- if eq .Values.tls.source "secret" }}{{ required "tls.existingSecret is needed with tls.source: secret" .Values.tls.existingSecret }}
{{- else }}{{ include "besom.name" . }}-tls{{ end }}
{{- end -}}

{{/* Names in the certificate, one a line. */}}
{{- define "besom.tlsNames" -}}
localhost
{{- range list "controller" "suggestion" "scheduler" }}
{{- $host := printf "%s-%s" (include "besom.name" $) . }}
{{- range list "" (printf ".%s" $.Release.Namespace) (printf ".%s.svc" $.Release.Namespace) (printf ".%s.svc.cluster.local" $.Release.Namespace) }}
{{ $host }}{{ . }}
{{- end }}
{{- end }}
{{- range .Values.tls.extraNames }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "besom.databaseSecret" -}}
{{- if eq .Values.database.mode "external" }}{{ required "database.external.existingSecret is needed with database.mode: external" .Values.database.external.existingSecret }}
{{- else if eq .Values.database.mode "cloudNativePG" }}{{ include "besom.name" . }}-database-app
{{- else }}{{ include "besom.name" . }}-database{{ end }}
{{- end -}}

{{- define "besom.databaseKey" -}}
{{- if eq .Values.database.mode "external" }}{{ .Values.database.external.key }}
{{- else if eq .Values.database.mode "cloudNativePG" }}uri
{{- else }}url{{ end }}
{{- end -}}

{{/* Labels and annotations of a pod. (dict "root" $ "component" NAME "pods" VALUES "own" {podLabels, podAnnotations}) */}}
{{- define "besom.podMetadata" -}}
labels: {{- merge (include "besom.selector" . | fromYaml) (.own.podLabels | default dict) (.pods.labels | default dict) | toYaml | nindent 2 }}
{{- with merge (dict) (.own.podAnnotations | default dict) (.pods.annotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What is the same in all pods, as the restricted profile wants it, and where they go: `own` values stand above those of `pods`.
(dict "root" $ "uid" 10001 "pods" VALUES "own" VALUES "account" NAME) */}}
{{- define "besom.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .account }}
serviceAccountName: {{ . | quote }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.own $key | default (get $.pods $key) }}
{{- dict $key . | toYaml | nindent 0 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "besom.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The database's environment variable. (dict "root" $ "key" KEY) */}}
{{- define "besom.databaseEnv" -}}
- name: BESOM_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ include "besom.databaseSecret" .root }}, key: {{ .key | quote }}}
{{- with .root.Values.pods.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "besom.databaseVolume" -}}
{{- with .Values.database.external.caSecret }}
- name: database-ca
  secret: {secretName: {{ . | quote }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- with .Values.pods.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "besom.databaseMount" -}}
{{- if .Values.database.external.caSecret }}
- {name: database-ca, mountPath: /etc/besom/database, readOnly: true}
{{- end }}
{{- with .Values.pods.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* One service: Deployment, Service, budget, autoscaler. (dict "root" $ "component" NAME "port" N "metrics" N "args" LIST) */}}
{{- define "besom.service" -}}
{{- $root := .root -}}
{{- $name := printf "%s-%s" (include "besom.name" $root) .component -}}
{{- $own := index $root.Values .component -}}
{{- $tls := ne $root.Values.tls.source "none" -}}
{{- $selector := include "besom.selector" . | fromYaml -}}
{{- $told := dict "podAnnotations" $own.podAnnotations -}}
{{- if eq $root.Values.tls.source "generated" }}{{/* another certificate is read by another pod */}}
{{- $told = dict "podAnnotations" (merge (dict "besom/certificate" (include "besom.tlsNames" $root | sha256sum | trunc 16)) $own.podAnnotations) }}
{{- end -}}
{{- $apart := and (eq .component "controller") (ne $root.Values.service.type "ClusterIP") -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "besom.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with $root.Values.deploymentAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if not $own.autoscaling.enabled }}
  replicas: {{ $own.replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels: {{- include "besom.selector" . | nindent 6 }}
  template:
    metadata: {{- include "besom.podMetadata" (dict "root" $root "component" .component "pods" $root.Values.pods "own" $told) | nindent 6 }}
    spec:
      {{- include "besom.pod" (dict "root" $root "uid" 10001 "pods" $root.Values.pods "own" $own "account" (include "besom.account" $root)) | nindent 6 }}
      terminationGracePeriodSeconds: 45
      {{- with $root.Values.pods.topologySpreadConstraints }}
      topologySpreadConstraints:
      {{- range . }}
      - {{- merge (dict "labelSelector" (dict "matchLabels" (deepCopy $selector))) . | toYaml | nindent 8 }}
      {{- end }}
      {{- end }}
      containers:
      - name: {{ .component }}
        image: {{ include "besom.image" . }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy }}
        securityContext: {{- include "besom.containerSecurity" $root | nindent 10 }}
        command: [besom-{{ .component }}]
        args:
        - --listen=0.0.0.0:{{ .port }}
        - --listen=unix:/run/besom/health
        - --metrics-address=0.0.0.0
        - --metrics-port={{ .metrics }}
        - --pool-size={{ $own.poolSize }}
        - --log-level={{ $root.Values.logLevel }}
        - --log-format={{ $root.Values.logFormat }}
        - --service-token-file=/etc/besom/auth/service-token
        {{- if $root.Values.database.external.unprepared }}
        - --unprepared
        {{- end }}
        {{- if $tls }}
        - --tls-cert-file=/etc/besom/tls/tls.crt
        - --tls-key-file=/etc/besom/tls/tls.key
        {{- else }}
        - --insecure
        {{- end }}
        {{- range .args }}
        - {{ . }}
        {{- end }}
        {{- range $own.extraArgs }}
        - {{ . | quote }}
        {{- end }}
        env: {{- include "besom.databaseEnv" (dict "root" $root "key" (include "besom.databaseKey" $root)) | nindent 8 }}
        ports:
        - {name: grpc, containerPort: {{ .port }}, protocol: TCP}
        - {name: metrics, containerPort: {{ .metrics }}, protocol: TCP}
        # Alive is who answers, whatever the database does; ready is who says so by gRPC. The node's own gRPC probe knows neither
        # TLS nor client certificates, so the program asks itself through a socket that only it sees.
        startupProbe:
          httpGet: {path: /healthz, port: metrics}
          periodSeconds: 2
          failureThreshold: 60
        livenessProbe:
          httpGet: {path: /healthz, port: metrics}
          periodSeconds: 10
          timeoutSeconds: 5
          failureThreshold: 6
        readinessProbe:
          exec: {command: [besom-{{ .component }}, --healthcheck, "--listen=unix:/run/besom/health"]}
          periodSeconds: 5
          timeoutSeconds: 5
        lifecycle:
          preStop:
            exec: {command: [sleep, "5"]}
        resources: {{- toYaml $own.resources | nindent 10 }}
        volumeMounts:
        - {name: auth, mountPath: /etc/besom/auth, readOnly: true}
        {{- if $tls }}
        - {name: tls, mountPath: /etc/besom/tls, readOnly: true}
        {{- end }}
        - {name: run, mountPath: /run/besom}
        {{- include "besom.databaseMount" $root | nindent 8 }}
      volumes:
      - name: auth
        secret:
          secretName: {{ include "besom.authSecret" $root }}
          defaultMode: 0440
          items: {{- toYaml .secrets | nindent 10 }}
      {{- if $tls }}
      - name: tls
        secret: {secretName: {{ include "besom.tlsSecret" $root }}, defaultMode: 0440}
      {{- end }}
      - name: run
        emptyDir: {}
      {{- include "besom.databaseVolume" $root | nindent 6 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels:
    {{- include "besom.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- if eq .component "controller" }}
  {{- with $root.Values.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
spec:
  type: {{ eq .component "controller" | ternary $root.Values.service.type "ClusterIP" }}
  selector: {{- include "besom.selector" . | nindent 4 }}
  ports:
  - {name: grpc, port: {{ .port }}, targetPort: grpc, protocol: TCP}
{{- if $apart }}
---
# What needs no token is not to be reached from outside
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}-metrics
  labels:
    {{- include "besom.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  type: ClusterIP
  selector: {{- include "besom.selector" . | nindent 4 }}
  ports:
{{- end }}
  - {name: metrics, port: {{ .metrics }}, targetPort: metrics, protocol: TCP}
{{- $least := $own.autoscaling.enabled | ternary $own.autoscaling.minReplicas $own.replicas | int }}
{{- if and $root.Values.podDisruptionBudget.enabled (gt $least 1) }}
---
apiVersion: {{ semverCompare ">=1.21-0" $root.Capabilities.KubeVersion.Version | ternary "policy/v1" "policy/v1beta1" }}
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "besom.labels" $root | nindent 4 }}
spec:
  maxUnavailable: 1
  {{- if semverCompare ">=1.27-0" $root.Capabilities.KubeVersion.Version }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  {{- end }}
  selector:
    matchLabels: {{- include "besom.selector" . | nindent 6 }}
{{- end }}
{{- if $own.autoscaling.enabled }}
{{- $v2 := semverCompare ">=1.23-0" $root.Capabilities.KubeVersion.Version }}
---
apiVersion: {{ $v2 | ternary "autoscaling/v2" "autoscaling/v1" }}
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "besom.labels" $root | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $own.autoscaling.minReplicas }}
  maxReplicas: {{ $own.autoscaling.maxReplicas }}
  {{- if $v2 }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ $own.autoscaling.targetCPUUtilizationPercentage }}}
  {{- else }}
  targetCPUUtilizationPercentage: {{ $own.autoscaling.targetCPUUtilizationPercentage }}
  {{- end }}
{{- end }}
{{- end -}}

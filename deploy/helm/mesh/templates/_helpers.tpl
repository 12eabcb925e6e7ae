{{- define "mesh.labels" -}}
app.kubernetes.io/part-of: mesh
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mesh.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "mesh.registry" -}}
{{- if .Values.image.registry }}{{ .Values.image.registry }}/{{ end }}
{{- end }}

{{- define "mesh.controlPlane" -}}
{{- if .Values.ztunnel.controlPlane }}{{ .Values.ztunnel.controlPlane }}{{ else }}istiod.{{ .Release.Namespace }}.svc:15012{{ end }}
{{- end }}

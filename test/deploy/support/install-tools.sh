#!/usr/bin/env bash
# Puts programs that Debian does not have into .cache/tools: vmalert, the amtool of today, Telegraf, a collector of OpenTelemetry and
# Prometheus' tests of receivers of remote_write, and those that judge the deployment files: kustomize, Kubernetes' own schemas with their validator, and what the operators
# of Kafka, PostgreSQL and Prometheus say of their kinds, as types and validators made from their definitions.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tools=$PWD/.cache/tools
mkdir -p "$tools/bin" "$tools/go"
PATH=$(testing/go.sh):$PATH
export PATH

# go_program NAME PACKAGE@VERSION FLAGS…: a build that is broken off leaves no program.
go_program() {
  local name=$1 package=$2
  shift 2
  if [ -x "$tools/bin/$name" ]; then return; fi
  GOBIN=$tools/go go install "$@" "$package"
  local built=${package%@*}
  built=${built%/v[0-9]}
  mv "$tools/go/${built##*/}" "$tools/bin/$name"
}
go_program kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.4.3
go_program vmalert github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert@v1.151.0
# Debian's is of 2022.
go_program amtool-current github.com/prometheus/alertmanager/cmd/amtool@v0.35.0
# Of Telegraf what the tests run: a minute of two cores, and all of its plugins would be many.
telegraf=custom,inputs.cpu,inputs.mem,inputs.execd,parsers.influx
telegraf+=,outputs.influxdb_v2,outputs.opentelemetry,outputs.http,serializers.prometheusremotewrite
go_program telegraf github.com/influxdata/telegraf/cmd/telegraf@v1.37.2 -ldflags "-s -w" -tags "$telegraf"
# Of OpenTelemetry's collector what the guide configures: a minute of two cores. The builder of collectors is not used, because it also
# asks for what only the tests of its parts need.
sources=$(cat testing/clients/otel-collector/* | sha256sum)
if ! [ -x "$tools/bin/otelcol" ] || [ "$(cat "$tools/otelcol.sources" 2>/dev/null)" != "$sources" ]; then
  rm -rf "$tools/otelcol"
  cp -r testing/clients/otel-collector "$tools/otelcol"
  (cd "$tools/otelcol" && go build -mod=mod -ldflags "-s -w" -o "$tools/go/otelcol" .)
  mv "$tools/go/otelcol" "$tools/bin/otelcol"
  echo "$sources" >"$tools/otelcol.sources"
fi
# Prometheus' own tests of remote_write's receivers, which come as a program in no other way.
if ! [ -x "$tools/bin/remote-write-compliance" ]; then
  module=github.com/prometheus/compliance/remotewrite/receiver@v0.0.0-20260806071727-67b8327a2e93
  folder=$(cd / && go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  (cd "$folder" && go test -c -o "$tools/go/remote-write-compliance" .)
  mv "$tools/go/remote-write-compliance" "$tools/bin/remote-write-compliance"
fi
if ! [ -x "$tools/bin/kubernetes-validate" ]; then
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" -q --disable-pip-version-check install kubernetes-validate==1.37.0
  ln -sf "$tools/python/bin/kubernetes-validate" "$tools/bin/kubernetes-validate"
fi
models=(
  @kubernetes-models/strimzi-kafka-operator@1.0.1
  @kubernetes-models/cloudnative-pg@2.0.0
  @kubernetes-models/prometheus-operator@6.0.0
)
if ! [ -f "$tools/models/.complete" ]; then
  mkdir -p "$tools/models"
  echo '{ "private": true, "type": "module" }' >"$tools/models/package.json"
  npm install --prefix "$tools/models" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "${models[@]}"
  touch "$tools/models/.complete"
fi

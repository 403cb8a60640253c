#!/usr/bin/env bash
# Puts programs that Debian does not have into .cache/tools: vmalert, the amtool of today and Telegraf, and those that judge the deployment files: kustomize, Kubernetes' own
# schemas with their validator, and what the operators of Kafka, PostgreSQL and Prometheus say of their kinds, as types and validators made
# from their definitions.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tools=$PWD/.cache/tools
mkdir -p "$tools/bin"
export PATH=$PATH:/usr/local/go/bin
[ -x "$tools/bin/kustomize" ] || GOBIN=$tools/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.4.3
[ -x "$tools/bin/vmalert" ] || GOBIN=$tools/bin go install github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert@v1.151.0
# Debian's is of 2022.
[ -x "$tools/bin/amtool-current" ] || {
  GOBIN=$tools/go go install github.com/prometheus/alertmanager/cmd/amtool@v0.35.0
  mv "$tools/go/amtool" "$tools/bin/amtool-current"
}
# Of Telegraf what the tests run: a minute of two cores, and all of its plugins would be many.
telegraf=custom,inputs.cpu,inputs.mem,inputs.execd,parsers.influx
telegraf+=,outputs.influxdb_v2,outputs.opentelemetry,outputs.http,serializers.prometheusremotewrite
[ -x "$tools/bin/telegraf" ] ||
  GOBIN=$tools/bin go install -ldflags "-s -w" -tags "$telegraf" github.com/influxdata/telegraf/cmd/telegraf@v1.37.2
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

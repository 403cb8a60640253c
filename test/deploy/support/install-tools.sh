#!/usr/bin/env bash
# Puts the programs that judge the deployment files into .cache/tools: kustomize, and Kubernetes' own schemas with their validator.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tools=$PWD/.cache/tools
mkdir -p "$tools/bin"
export PATH=$PATH:/usr/local/go/bin
[ -x "$tools/bin/kustomize" ] || GOBIN=$tools/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.4.3
if ! [ -x "$tools/bin/kubernetes-validate" ]; then
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" -q --disable-pip-version-check install kubernetes-validate==1.37.0
  ln -sf "$tools/python/bin/kubernetes-validate" "$tools/bin/kubernetes-validate"
fi

#!/usr/bin/env bash
# Prints the folder of a Go that builds what the tests run: that of PATH or of /usr/local where it is new enough, else Go's own toolchain,
# which comes as a module through any Go since 1.16, such as Debian's, and is put into .cache.
set -euo pipefail
cd "$(dirname "$0")/.."
# What vmalert asks for.
least=1.26.6
toolchain=go1.26.8
export PATH=$PATH:/usr/local/go/bin
has=$(go version | sed -E 's/^go version go([0-9.]+).*/\1/')
if [ "$(printf '%s\n' "$least" "$has" | sort -V | head -n 1)" = "$least" ]; then
  dirname "$(command -v go)"
  exit
fi
platform=$(go env GOOS)-$(go env GOARCH)
folder=$PWD/.cache/$toolchain.$platform
mkdir -p .cache
# Test runs side by side may want it at once.
exec 9>"$folder.lock"
flock 9
if ! [ -x "$folder/bin/go" ]; then
  module=$(cd / && go mod download -json "golang.org/toolchain@v0.0.1-$toolchain.$platform" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  rm -rf "$folder.new"
  cp -r "$module" "$folder.new"
  # As Go does where it fetches one itself: modules have no programs, and no module within.
  chmod -R u+w "$folder.new"
  chmod -R a+x "$folder.new"/bin "$folder.new"/pkg/tool
  find "$folder.new/src" -name _go.mod -execdir mv {} go.mod \;
  mv "$folder.new" "$folder"
fi
echo "$folder/bin"

#!/bin/sh
# Builds the peers that are written in Go, from modules by version (go.mod), checked against go.sum:
#
#   build.sh TARGET
#
# Needs Go 1.26 or newer, which finds nothing to do where nothing has changed.
set -eu

mkdir -p "$1"
target=$(cd "$1" && pwd)
command -v go >/dev/null || { echo "build.sh: Go is missing: install Go 1.26 or newer" >&2; exit 1; }
cd "$(dirname "$0")"
# They run in containers that have no C library.
CGO_ENABLED=0 exec nice -n 5 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$target/" \
    ./aws-1 ./aws-2 ./collector ./gostats github.com/prometheus/statsd_exporter

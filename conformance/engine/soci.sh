#!/bin/sh
# Builds the command soci, which makes SOCI indexes, from Go modules: soci.sh TARGET. Needs Go, gcc
# and zlib's headers; without Go it prints a message and makes no file.
set -eu

target=$(mkdir -p "$(dirname "$1")" && cd "$(dirname "$1")" && pwd)/$(basename "$1")
if ! command -v go >/dev/null; then
    echo "soci.sh: Go is not here: what needs soci is SKIPPED" >&2
    exit 0
fi
cd "$(dirname "$0")/soci"
[ -x "$target" ] || go build -mod=readonly -o "$target" github.com/awslabs/soci-snapshotter/cmd/soci

#!/bin/sh
# The figures of report.py, in namespaces of their own as in a container: /run in memory (the subject
# start puts it on a disk, too), and neither a file nor a process left on the machine.
#
#   run.sh BINARY [PYTHON-WITH-THE-WHEEL WHEEL [EMPTY-EXTENSION]]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
missing=
for package in strace tini dumb-init catatonit; do
    command -v "$package" >/dev/null || missing="$missing $package"
done
# Rust links with it, but a binary may have been built elsewhere.
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $missing >/dev/null
fi

# What metrics are held against, beside the wheel; for the benches alone.
if [ $# -eq 4 ]; then
    binary=$1 python=$2 wheel=$3 extension=$4
    peers=${extension%/release/*}/peers
    [ -x "$peers/bin/python" ] || "$python" -m venv "$peers"
    "$peers/bin/python" -m pip install --quiet -r "$here/requirements-metrics.txt"
    "$peers/bin/python" -m pip install --quiet --force-reinstall --no-deps "$wheel"
    "$here/peers.sh" "$peers/statsd"
    set -- "$binary" "$python" "$wheel" "$peers" "$extension"
fi

export LYFTLEARN_RUNTIME_LOG=off LYFTLEARN_RUNTIME_PATHS_BASE=/run/bench TMPDIR=/run/bench
# Without a terminal: a shim would hand it to its program and not take it back.
# shellcheck disable=SC2016  # $@ is for the inner shell
exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh -euc \
    'mount -t tmpfs tmpfs /run; mkdir /run/bench; exec "$@" </dev/null' sh \
    python3 -B "$here/report.py" "$@"
